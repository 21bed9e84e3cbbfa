"""Edits of a frame's masks: other ids for objects, finished edges, pieces given to another object or removed."""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.layers import Layers
from cyclevos.app.projects.mask_pngs import Mark
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.work.mask_edits import finished
from cyclevos.app.work.wanted_edit import Finish
from cyclevos.pictures.arrays import UInt8Array


class Edit(ABC):
    """Changes the masks of one frame after the other, each for itself."""

    needs_image = False

    @abstractmethod
    def layers(self, index: int, held: Layers, image: UInt8Array | None) -> Layers:
        """Return a frame's masks as they are afterwards."""

    def result(self, held: FrameResult) -> FrameResult:
        """Return what is known of a frame afterwards; areas and islands are counted again elsewhere."""
        return held


@dataclass(frozen=True)
class Renumber(Edit):
    """Gives objects other ids, in every mask of a frame: swaps, merges, moves and deletes.

    Attributes:
        table: the new id by the old one, 0 = background; other ids stay.
        free: an id that no pixel of the frame may have yet; 0 = any may be there.
    """

    table: Mapping[int, int]
    free: int = 0

    def layers(self, index: int, held: Layers, image: UInt8Array | None) -> Layers:
        """Return the masks with the new ids; what a person annotated is still annotated, by its new id.

        Raises:
            ConflictError: pixels have the id that was to be free.
        """
        if self.free and (held.shown == self.free).any():
            raise ConflictError(
                f"Object {self.free} has a mask in frame {index} already.", "Merge the two, or choose another number."
            )
        numbers = np.arange(256, dtype=np.uint8)
        for old, new in self.table.items():
            numbers[old] = new
        changed = held.mapped(lambda ids: numbers[ids])
        if held.mark is None:
            return changed
        objects = frozenset(self.table.get(each, each) or each for each in held.mark.objects)
        return replace(changed, mark=replace(held.mark, objects=objects))

    def result(self, held: FrameResult) -> FrameResult:
        """Return the reliability by the new ids; of merged objects the lower one."""
        reliability: dict[int, float] = {}
        for old, value in held.reliability.items():
            new = self.table.get(old, old)
            if new:
                reliability[new] = min(value, reliability.get(new, value))
        return replace(held, reliability=reliability)


@dataclass(frozen=True)
class FinishEdges(Edit):
    """Finishes the edges of objects in the mask that a frame shows.

    Attributes:
        how: as in `mask_edits.finished`.
        amount: in pixels.
        objects: the ids that are changed.
    """

    how: Finish
    amount: int
    objects: tuple[int, ...]

    @property
    def needs_image(self) -> bool:  # type: ignore[override]
        """Whether it looks at the frame."""
        return self.how == "snap"

    def layers(self, index: int, held: Layers, image: UInt8Array | None) -> Layers:
        """Return the masks with finished edges."""
        return replace(held, shown=finished(held.shown, self.how, self.amount, self.objects, image))


@dataclass(frozen=True)
class MovePieces(Edit):
    """Gives pieces of masks to another object, or to the background.

    Attributes:
        target: the id that they get; 0 = background.
        source: the object that they are taken from; None = any.
        pieces: by frame, as `add` packs them.
    """

    target: int
    source: int | None = None
    pieces: dict[int, bytes] = field(default_factory=dict)

    def add(self, index: int, piece: NDArray[np.bool_]) -> None:
        """Say which pixels (H,W) are moved in a frame."""
        self.pieces[index] = zlib.compress(np.packbits(piece).tobytes(), 1)

    def layers(self, index: int, held: Layers, image: UInt8Array | None) -> Layers:
        """Return the masks with the pieces moved; what was annotated as the source is so as the target."""
        if index not in self.pieces:
            return held
        bits = np.frombuffer(zlib.decompress(self.pieces[index]), np.uint8)
        piece = np.unpackbits(bits, count=held.shown.size).reshape(held.shown.shape).astype(np.bool_)
        mark = held.mark
        if mark is not None and self.target and self.source in mark.objects:
            mark = Mark(mark.objects | {self.target}, mark.accepted)
        return replace(held, shown=np.where(piece, self.target, held.shown).astype(np.uint8), mark=mark)

    def result(self, held: FrameResult) -> FrameResult:
        """Return the reliability, the target's being that of the source where it had none."""
        if not self.target or self.source is None or self.source not in held.reliability:
            return held
        return replace(held, reliability={self.target: held.reliability[self.source], **held.reliability})
