"""The masks of a project, a PNG per frame: marks of a person, and masks made by tracking.

    marks/00012.png    frames that a person painted or accepted; its text says which objects were marked there
    masks/00012.png    what tracking made of the frame
    before/00012.png   the same before its correction, where that changed it

A frame's mask is its mark if it has one, else what tracking made, else background. Shapes: H height, W width.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

import numpy as np

from cyclevos.app.projects.absences import Gone
from cyclevos.app.projects.durable_files import saving, write_durably
from cyclevos.app.projects.frame_mask import FrameMask
from cyclevos.app.projects.held_masks import Held, look
from cyclevos.app.projects.mask_names import Kind, index_of, indices_of, kind_of, mask_name
from cyclevos.app.projects.mask_pngs import Mark, Stored, encode, read_annotation, read_ids, read_mark
from cyclevos.files.atomic import sync_file, sync_folder, temporary_path
from cyclevos.pictures.arrays import UInt8Array


class MaskStore:
    """Reads and writes a project's masks: one thread at a time writes, and any reads meanwhile.

    Args:
        folder: the project's.
        size: (H, W) of every mask.
        note: told the files that are about to change.
        gone: returns the objects that are not in a frame: tracked masks are shown without them; their files keep them.
        held: which files there are; None = look.

    Attributes:
        held: which files there are; replaced, never changed: readers take no lock.

    Raises:
        MaskError: a mark on disk is broken.
    """

    def __init__(
        self,
        folder: Path,
        size: tuple[int, int],
        note: Callable[[Collection[Path]], None] = lambda paths: None,
        gone: Gone = lambda _: (),
        held: Held | None = None,
    ) -> None:
        self.folder, self.size = folder, size
        self._note, self._gone = note, gone
        self.held = look(folder) if held is None else held
        self._changes: dict[int, int] = {}

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

    def changes(self, index: int) -> int:
        """Return how often a frame's masks have changed since the project was opened."""
        return self._changes.get(index, 0)

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

    def given(self) -> dict[int, UInt8Array]:
        """Return the annotations for tracking: accepted frames, and the marked objects of marked frames."""
        return {index: ids for index in self.marks if (ids := self.annotation(index)) is not None}

    def annotation(self, index: int) -> UInt8Array | None:
        """Return the annotation of one frame; None without one."""
        if index not in self.held.marks:
            return None
        ids, mark = self._read_mark(index)
        return ids if mark.accepted else np.where(np.isin(ids, [*mark.objects]), ids, 0).astype(np.uint8)

    def write_mark(self, index: int, ids: UInt8Array, mark: Mark) -> FrameMask:
        """Store a person's annotation of a frame; a power cut cannot lose it once this returns."""
        self._put("marks", index, encode(ids, mark))
        return FrameMask(ids, mark, index in self.held.tracked)

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

    def write_tracked(self, index: int, ids: UInt8Array, before: UInt8Array | None, shown: FrameMask) -> None:
        """Store the tracked mask of a frame.

        Args:
            index: of the frame.
            ids: what tracking made, uint8 (H,W).
            before: the same before its correction, where that changed it.
            shown: what `with_tracked` made of it.
        """
        self._put("masks", index, encode(ids))
        if before is not None or index in self.held.before:
            self._put("before", index, None if before is None else encode(before))
        if shown.mark is not None and not shown.mark.accepted:
            self.write_mark(index, shown.ids, shown.mark)

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

    def forget_mark(self, index: int) -> None:
        """Discard a frame's mark."""
        if index in self.held.marks:
            self._put("marks", index, None)

    def remove_object(self, index: int, object_id: int) -> bool:
        """Remove an object from a frame; return whether it was there."""
        changed = False
        if index in self.held.marks:
            ids, mark = self._read_mark(index)
            rest = mark.objects - {object_id}
            changed = rest != mark.objects or bool((ids == object_id).any())
            if changed and (rest or mark.accepted):
                self.write_mark(index, _without(ids, object_id), Mark(rest, mark.accepted))
            elif changed:
                self.forget_mark(index)
        kinds: tuple[Kind, ...] = ("masks", "before")
        for kind in kinds:
            if index in self.held.of(kind):
                ids = self._read(kind, index)
                if (ids == object_id).any():
                    self._put(kind, index, encode(_without(ids, object_id)))
                    changed = True
        return changed

    def retrack(self, index: int) -> None:
        """Give a mark the other objects as tracking has made them since."""
        tracked, mark = self.read_tracked(index), self.held.marks.get(index)
        if tracked is not None and mark is not None and not mark.accepted:
            self.write_mark(index, self.with_tracked(index, tracked).ids, mark)

    def put_back(self, path: Path, data: bytes | None) -> int:
        """Put back one of the store's files as it was; None = it was not there. Return its frame's index."""
        kind, index = kind_of(path), index_of(path)
        self._put(kind, index, data)
        return index

    def put_back_all(self, contents: Iterable[tuple[Path, bytes | None]]) -> None:
        """Put back many of the store's files, which then change at once; see `put_back`.

        Raises:
            UnsavedError: the folder cannot be written to; nothing is changed then.
        """
        ready: dict[Path, Path | None] = {}
        try:
            for path, data in contents:
                ready[path] = None if data is None else temporary_path(path)
                if data is not None:
                    with saving(path.parent):
                        path.parent.mkdir(exist_ok=True)
                        temporary_path(path).write_bytes(data)
            for temporary in filter(None, ready.values()):
                with saving(temporary.parent):
                    sync_file(temporary)
            self.take(ready)
        finally:
            for temporary in filter(None, ready.values()):
                temporary.unlink(missing_ok=True)

    def take(self, files: Mapping[Path, Path | None]) -> None:
        """Put files that lie ready on the disk in the place of the store's; all are shown at once.

        Args:
            files: the ready file by the store's; None = it is removed.

        Raises:
            UnsavedError: the folder cannot be written to.
        """
        self._note(files.keys())
        held = self.held
        for path, ready in files.items():
            mark = read_mark(ready) if ready is not None and kind_of(path) == "marks" else None
            with saving(path.parent):
                if ready is None:
                    path.unlink(missing_ok=True)
                else:
                    path.parent.mkdir(exist_ok=True)
                    ready.replace(path)
            held = held.with_file(kind_of(path), index_of(path), mark, there=ready is not None)
        for folder in {path.parent for path in files}:
            with saving(folder):
                if folder.exists():
                    sync_folder(folder)
        self.held = held
        for index in indices_of(files):
            self._changes[index] = self.changes(index) + 1

    def _put(self, kind: Kind, index: int, data: bytes | None) -> None:
        """Write a file, or remove it."""
        path = self.folder / mask_name(kind, index)
        self._note([path])
        if data is not None:
            write_durably(path, data)
        else:
            with saving(path.parent):
                path.unlink(missing_ok=True)
        self._know(kind, index, data)

    def _know(self, kind: Kind, index: int, data: bytes | None) -> None:
        """Take note of a file that was written or removed; counted last, so that who read before finds it counted."""
        mark = None if data is None or kind != "marks" else read_mark(io.BytesIO(data))
        self.held = self.held.with_file(kind, index, mark, there=data is not None)
        self._changes[index] = self.changes(index) + 1

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


def _without(ids: UInt8Array, object_id: int) -> UInt8Array:
    return np.where(ids == object_id, 0, ids).astype(np.uint8)
