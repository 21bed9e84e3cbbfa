"""The masks of a project, a PNG per frame: marks of a person, and masks made by tracking.

    marks/00012.png    frames that a person painted or accepted; its text says which objects were marked there
    masks/00012.png    what tracking made of the frame
    before/00012.png   the same before its correction, where that changed it

A frame's mask is its mark if it has one, else what tracking made, else background. Shapes: H height, W width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from cyclevos.app.projects.absences import Gone
from cyclevos.app.projects.durable_files import saving, write_durably
from cyclevos.app.projects.islands import islands
from cyclevos.app.projects.mask_pngs import Mark, broken, encode, indexed, mask_path, read_mark
from cyclevos.app.projects.object_pixels import areas
from cyclevos.errors import MaskError
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import open_picture

__all__ = ["FrameMask", "Mark", "MaskStore", "Status", "describe_mask"]

Status = Literal["empty", "tracked", "marked", "accepted"]


@dataclass(frozen=True, eq=False)
class FrameMask:
    """The mask of one frame.

    Attributes:
        ids: uint8 (H,W).
        mark: the person's annotation; None = none.
        tracked: whether there is a tracked mask.
        order: of two states of one frame, the one with the larger number is the later one.
    """

    ids: UInt8Array
    mark: Mark | None
    tracked: bool
    order: int = 0

    @property
    def status(self) -> Status:
        """The state as one word."""
        if self.mark is not None:
            return "accepted" if self.mark.accepted else "marked"
        return "tracked" if self.tracked else "empty"

    @cached_property
    def tag(self) -> str:
        """Hash of the mask and its mark; the same after a restart."""
        digest = hashlib.sha1(self.ids.tobytes(), usedforsecurity=False)
        objects = [] if self.mark is None else sorted(self.mark.objects)
        digest.update(f"{self.status} {objects}".encode())
        return digest.hexdigest()[:18]

    @cached_property
    def areas(self) -> dict[int, int]:
        """Pixels of each object that is there."""
        return areas(self.ids)

    @cached_property
    def islands(self) -> dict[int, int]:
        """Pixels of each object that lie away from its largest piece."""
        return islands(self.ids)


class MaskStore:
    """Reads and writes a project's masks; one thread at a time.

    Args:
        folder: the project's.
        size: (H, W) of every mask.
        gone: returns the objects that are not in a frame: tracked masks are shown without them; their files keep them.
        note: told each file that is about to change.

    Raises:
        MaskError: a mark on disk is broken.
    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int],
        note: Callable[[Path], None] = lambda path: None,
        gone: Gone = lambda _: (),
    ) -> None:
        self._note, self._gone = note, gone
        self._marks_folder, self._masks_folder = folder / "marks", folder / "masks"
        self._before_folder = folder / "before"
        self.size = size
        self._marks = {index: read_mark(path) for index, path in indexed(self._marks_folder)}
        self._tracked = {index for index, _ in indexed(self._masks_folder)}
        self._before = {index for index, _ in indexed(self._before_folder)}

    @property
    def marks(self) -> dict[int, Mark]:
        """Marks by frame index, in order."""
        return dict(sorted(self._marks.items()))

    @property
    def tracked(self) -> frozenset[int]:
        """Indices of the frames with a tracked mask."""
        return frozenset(self._tracked)

    @property
    def corrected(self) -> frozenset[int]:
        """Indices of the frames whose mask a correction changed."""
        return frozenset(self._before)

    def read(self, index: int) -> FrameMask:
        """Return a frame's mask.

        Raises:
            MaskError: the file is broken.
        """
        mark = self._marks.get(index)
        if mark is None and index not in self._tracked:
            return FrameMask(np.zeros(self.size, np.uint8), None, False)
        ids = self._read(self._masks_folder if mark is None else self._marks_folder, index)
        return FrameMask(self._present(index, ids, mark), mark, index in self._tracked)

    def read_before(self, index: int) -> UInt8Array | None:
        """Return a frame's mask before its correction; None if it was not corrected."""
        return self._read(self._before_folder, index) if index in self._before else None

    def given(self) -> dict[int, UInt8Array]:
        """Return the annotations for tracking: accepted frames, and the marked objects of marked frames."""
        masks = {}
        for index, mark in self.marks.items():
            ids = self._read(self._marks_folder, index)
            masks[index] = ids if mark.accepted else np.where(np.isin(ids, [*mark.objects]), ids, 0).astype(np.uint8)
        return masks

    def write_mark(self, index: int, ids: UInt8Array, mark: Mark) -> FrameMask:
        """Store a person's annotation of a frame; a power cut cannot lose it once this returns."""
        self._write(self._marks_folder, index, encode(ids, mark))
        self._marks[index] = mark
        return FrameMask(ids, mark, index in self._tracked)

    def with_tracked(self, index: int, ids: UInt8Array) -> FrameMask:
        """Return what a frame shows once tracking has made this of it.

        An accepted mark is unchanged; another one keeps its objects and takes the others from here.
        """
        mark, ids = self._marks.get(index), self._present(index, ids)
        if mark is None:
            return FrameMask(ids, None, True)
        own = self._read(self._marks_folder, index)
        if mark.accepted:
            return FrameMask(own, mark, True)
        by_hand = np.isin(own, [*mark.objects]) & (own > 0)
        others = np.where(np.isin(ids, [*mark.objects]), 0, ids)
        return FrameMask(np.where(by_hand, own, others).astype(np.uint8), mark, True)

    def write_tracked(self, index: int, ids: UInt8Array, before: UInt8Array | None, shown: FrameMask) -> None:
        """Store the tracked mask of a frame.

        Args:
            index: of the frame.
            ids: what tracking made, uint8 (H,W).
            before: the same before its correction, where that changed it.
            shown: what `with_tracked` made of it.
        """
        self._write(self._masks_folder, index, encode(ids))
        self._tracked.add(index)
        if before is not None:
            self._write(self._before_folder, index, encode(before))
            self._before.add(index)
        elif index in self._before:
            self._write(self._before_folder, index, None)
            self._before.discard(index)
        if shown.mark is not None and not shown.mark.accepted:
            self.write_mark(index, shown.ids, shown.mark)

    def read_tracked(self, index: int) -> UInt8Array | None:
        """Return the tracked mask of a frame, even if it was marked later; None without one."""
        return self._present(index, self._read(self._masks_folder, index)) if index in self._tracked else None

    def with_absent(self, index: int, ids: UInt8Array) -> UInt8Array:
        """Return a tracked mask with the pixels that its file keeps of objects which are not in the frame."""
        gone = [*self._gone(index)]
        if not gone or index not in self._tracked:
            return ids
        held = self._read(self._masks_folder, index)
        return np.where((ids == 0) & np.isin(held, gone), held, ids).astype(np.uint8)

    def forget_mark(self, index: int) -> None:
        """Discard a frame's mark."""
        if index in self._marks:
            self._write(self._marks_folder, index, None)
            del self._marks[index]

    def remove_object(self, object_id: int) -> None:
        """Remove an object from every frame."""
        for index, mark in self.marks.items():
            ids = self._read(self._marks_folder, index)
            rest = mark.objects - {object_id}
            if rest == mark.objects and not (ids == object_id).any():
                continue
            if rest or mark.accepted:
                self.write_mark(index, np.where(ids == object_id, 0, ids).astype(np.uint8), Mark(rest, mark.accepted))
            else:
                self.forget_mark(index)
        for folder, held in ((self._masks_folder, self._tracked), (self._before_folder, self._before)):
            for index in held:
                ids = self._read(folder, index)
                if (ids == object_id).any():
                    ids[ids == object_id] = 0
                    self._write(folder, index, encode(ids))

    def retrack(self, index: int) -> None:
        """Give a mark the other objects as tracking has made them since."""
        tracked, mark = self.read_tracked(index), self._marks.get(index)
        if tracked is not None and mark is not None and not mark.accepted:
            self.write_mark(index, self.with_tracked(index, tracked).ids, mark)

    def put_back(self, path: Path, data: bytes | None) -> int:
        """Put back one of the store's files as it was; None = it was not there. Return its frame's index."""
        folder, index = path.parent, int(path.stem)
        self._write(folder, index, data)
        if folder == self._marks_folder:
            self._marks.pop(index, None)
            if data is not None:
                self._marks[index] = read_mark(path)
        else:
            held = self._tracked if folder == self._masks_folder else self._before
            if data is None:
                held.discard(index)
            else:
                held.add(index)
        return index

    def _write(self, folder: Path, index: int, data: bytes | None) -> None:
        """Write a file, or remove it."""
        path = mask_path(folder, index)
        self._note(path)
        if data is not None:
            write_durably(path, data)
            return
        with saving(folder):
            path.unlink(missing_ok=True)

    def _present(self, index: int, ids: UInt8Array, mark: Mark | None = None) -> UInt8Array:
        """Return a mask without the objects that are not in the frame, but with what a person gave."""
        gone = {*self._gone(index)} - (mark.objects if mark is not None else frozenset())
        kept = not gone or (mark is not None and mark.accepted)
        return ids if kept else np.where(np.isin(ids, [*gone]), 0, ids).astype(np.uint8)

    def _read(self, folder: Path, index: int) -> UInt8Array:
        path = mask_path(folder, index)
        try:
            with open_picture(path) as image:
                size = image.size[::-1]
                ids = np.array(image, dtype=np.uint8) if size == self.size else None
        except Exception as error:  # Pillow's decoders raise nearly everything on broken data
            raise broken(path, error) from error
        if ids is None or ids.shape != self.size:
            came = size_text(size) if ids is None else "x".join(map(str, ids.shape[::-1]))
            raise MaskError(
                f"{path} is {came} but the video is {size_text(self.size)} (width x height).",
                "Move this file out of the project; its frame then counts as unmarked.",
            )
        return ids


def describe_mask(mask: FrameMask) -> dict[str, Any]:
    """Describe a frame's mask, without its pixels, as JSON values."""
    objects = [] if mask.mark is None else sorted(mask.mark.objects)
    status = {"status": mask.status, "tracked": mask.tracked, "objects": objects}
    return {"tag": mask.tag, "order": mask.order, **status, "areas": mask.areas, "islands": mask.islands}
