"""The masks of a project, a PNG per frame: marks of a person, and masks made by tracking.

    marks/00012.png    frames that a person painted or accepted; its text says which objects were marked there
    masks/00012.png    what tracking made of the frame
    before/00012.png   the same before its correction, where that changed it

A frame's mask is its mark if it has one, else what tracking made, else background. Shapes: H height, W width.
"""

from __future__ import annotations

import io
import secrets
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

import numpy as np

from cyclevos.app.projects.absences import Gone
from cyclevos.app.projects.durable_files import saving, write_durably
from cyclevos.app.projects.frame_mask import FrameMask
from cyclevos.app.projects.held_masks import Held
from cyclevos.app.projects.mask_names import Kind, index_of, indices_of, kind_of, mask_name
from cyclevos.app.projects.mask_pngs import Mark, encode, read_mark
from cyclevos.app.projects.stored_masks import StoredMasks
from cyclevos.files.atomic import sync_folder, temporary_path
from cyclevos.pictures.arrays import UInt8Array

Lay = Callable[[str, Path], None]
"""Called with the digest of what a file held, and a path, puts it there."""


class MaskStore(StoredMasks):
    """Reads and writes a project's masks: one thread at a time writes, and any reads meanwhile.

    Args:
        folder: the project's.
        size: (H, W) of every mask.
        note: told the files that are about to change.
        gone, held: as of `StoredMasks`.

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
        super().__init__(folder, size, gone, held)
        self._note = note
        self._changes: dict[int, int] = {}

    def changes(self, index: int) -> int:
        """Return how often a frame's masks have changed since the project was opened."""
        return self._changes.get(index, 0)

    def write_mark(self, index: int, ids: UInt8Array, mark: Mark) -> FrameMask:
        """Store a person's annotation of a frame; a power cut cannot lose it once this returns."""
        self._put("marks", index, encode(ids, mark))
        return FrameMask(ids, mark, index in self.held.tracked)

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

    def put_back(self, files: Mapping[Path, str | None], lay: Lay) -> None:
        """Put back some of the store's files as they were, at once.

        Args:
            files: digests of what they held; None = there was no file.
            lay: puts what a file held at a path of the same disk.

        Raises:
            UnsavedError: the folder cannot be written to.
        """
        ready: dict[Path, Path | None] = {}
        try:
            for path, kept in files.items():
                ready[path] = None
                if kept is not None:
                    # A name of its own: what is laid may share its data, which nobody may write to.
                    ready[path] = place = temporary_path(path.with_name(secrets.token_hex(8)))
                    with saving(path.parent):
                        path.parent.mkdir(exist_ok=True)
                    lay(kept, place)
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
        mark = None if data is None or kind != "marks" else read_mark(io.BytesIO(data))
        self._know(kind, index, mark, there=data is not None)

    def _know(self, kind: Kind, index: int, mark: Mark | None, *, there: bool) -> None:
        """Take note of a file that was written or removed; counted last, so that who read before finds it counted."""
        self.held = self.held.with_file(kind, index, mark, there=there)
        self._changes[index] = self.changes(index) + 1


def _without(ids: UInt8Array, object_id: int) -> UInt8Array:
    return np.where(ids == object_id, 0, ids).astype(np.uint8)
