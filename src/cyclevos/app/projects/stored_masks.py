"""What the files of a project's masks show. `mask_store` changes them.

Shapes: H height, W width.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from cyclevos.app.projects.absences import Gone
from cyclevos.app.projects.annotations import Annotations
from cyclevos.app.projects.frame_mask import FrameMask
from cyclevos.app.projects.held_masks import Held, look
from cyclevos.app.projects.mask_names import Kind, mask_name
from cyclevos.app.projects.mask_pngs import Mark, Stored, read_annotation, read_ids
from cyclevos.pictures.arrays import UInt8Array


class StoredMasks:
    """Reads a project's masks; any thread may, while another one writes.

    Args:
        folder: the project's.
        size: (H, W) of every mask.
        gone: returns the objects that are not in a frame: tracked masks are shown without them; their files keep them.
        held: which files there are; None = look.

    Attributes:
        held: which files there are; replaced, never changed: readers take no lock.

    Raises:
        MaskError: a mark on disk is broken.
    """

    def __init__(self, folder: Path, size: tuple[int, int], gone: Gone, held: Held | None) -> None:
        self.folder, self.size = folder, size
        self._gone = gone
        self.held = look(folder) if held is None else held

    @property
    def marks(self) -> dict[int, Mark]:
        """Marks by frame index, in order."""
        return dict(sorted(self.held.marks.items()))

    @property
    def tracked(self) -> frozenset[int]:
        """Indices of the frames with a tracked mask."""
        return self.held.tracked

    @property
    def corrected(self) -> frozenset[int]:
        """Indices of the frames whose mask a correction changed."""
        return self.held.before

    def read(self, index: int) -> FrameMask:
        """Return a frame's mask.

        Raises:
            MaskError: the file is broken.
        """
        held = self.held
        tracked = self._place("masks", index) if index in held.tracked else None
        return self._shown(index, tracked, self._place("marks", index) if index in held.marks else None)

    def read_before(self, index: int) -> UInt8Array | None:
        """Return a frame's mask before its correction; None if it was not corrected."""
        return self._read("before", index) if index in self.held.before else None

    def as_shown(self, index: int, tracked: bytes | None, mark: bytes | None = None) -> FrameMask:
        """Return what a frame shows if its files hold these contents; None = there is no such file.

        Raises:
            MaskError: one is broken.
        """
        files = (None if content is None else io.BytesIO(content) for content in (tracked, mark))
        return self._shown(index, *files)

    def given(self) -> Annotations:
        """Return the annotations for tracking: accepted frames, and the marked objects of marked frames."""
        return Annotations((index, ids) for index in self.marks if (ids := self.annotation(index)) is not None)

    def annotation(self, index: int) -> UInt8Array | None:
        """Return the annotation of one frame; None without one."""
        if index not in self.held.marks:
            return None
        ids, mark = self._read_mark(index)
        return ids if mark.accepted else np.where(np.isin(ids, [*mark.objects]), ids, 0).astype(np.uint8)

    def with_tracked(self, index: int, ids: UInt8Array) -> FrameMask:
        """Return what a frame shows once tracking has made this of it.

        An accepted mark is unchanged; another one keeps its objects and takes the others from here.
        """
        ids = self._present(index, ids)
        if index not in self.held.marks:
            return FrameMask(ids, None, True)
        own, mark = self._read_mark(index)
        if mark.accepted:
            return FrameMask(own, mark, True)
        by_hand = np.isin(own, [*mark.objects]) & (own > 0)
        others = np.where(np.isin(ids, [*mark.objects]), 0, ids)
        return FrameMask(np.where(by_hand, own, others).astype(np.uint8), mark, True)

    def read_tracked(self, index: int) -> UInt8Array | None:
        """Return the tracked mask of a frame, even if it was marked later; None without one."""
        return self._present(index, self._read("masks", index)) if index in self.held.tracked else None

    def with_absent(self, index: int, ids: UInt8Array) -> UInt8Array:
        """Return a tracked mask with the pixels that its file keeps of objects which are not in the frame."""
        gone = [*self._gone(index)]
        if not gone or index not in self.held.tracked:
            return ids
        held = self._read("masks", index)
        return np.where((ids == 0) & np.isin(held, gone), held, ids).astype(np.uint8)

    def _shown(self, index: int, tracked: Stored | None, mark: Stored | None) -> FrameMask:
        """Return what a frame shows by its files; None = there is no such file."""
        if mark is not None:
            ids, held = read_annotation(mark, self.size)
            return FrameMask(self._present(index, ids, held), held, tracked is not None)
        if tracked is None:
            return FrameMask(np.zeros(self.size, np.uint8), None, False)
        return FrameMask(self._present(index, read_ids(tracked, self.size)), None, True)

    def _present(self, index: int, ids: UInt8Array, mark: Mark | None = None) -> UInt8Array:
        """Return a mask without the objects that are not in the frame, but with what a person gave."""
        gone = {*self._gone(index)} - (mark.objects if mark is not None else frozenset())
        kept = not gone or (mark is not None and mark.accepted)
        return ids if kept else np.where(np.isin(ids, [*gone]), 0, ids).astype(np.uint8)

    def _place(self, kind: Kind, index: int) -> Path:
        """Return the file to read."""
        return self.folder / mask_name(kind, index)

    def _read_mark(self, index: int) -> tuple[UInt8Array, Mark]:
        return read_annotation(self._place("marks", index), self.size)

    def _read(self, kind: Kind, index: int) -> UInt8Array:
        return read_ids(self._place(kind, index), self.size)
