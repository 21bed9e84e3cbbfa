"""An open project folder: its video, what it holds of masks and results, and its events, behind one lock."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from cyclevos.app.errors import GoneError, NotFoundError
from cyclevos.app.projects.absences import gone_at
from cyclevos.app.projects.absent_objects import present
from cyclevos.app.projects.adapted_weights import ADAPTED
from cyclevos.app.projects.events import Hub
from cyclevos.app.projects.folder_lock import FolderLock
from cyclevos.app.projects.frame_mask import FrameMask
from cyclevos.app.projects.frame_news import frame_news
from cyclevos.app.projects.frame_reader import FrameReader
from cyclevos.app.projects.indexing import PUT_BACK, index_project
from cyclevos.app.projects.kept_pictures import KeptPictures
from cyclevos.app.projects.mask_names import KINDS
from cyclevos.app.projects.mask_store import MaskStore
from cyclevos.app.projects.project_file import ObjectInfo, ProjectFile, load_project_file
from cyclevos.app.projects.result_log import RESULTS, ResultLog
from cyclevos.app.projects.steps import MOST_TOLD, Steps
from cyclevos.app.projects.video_index import known_index
from cyclevos.errors import CycleVOSError, MaskError
from cyclevos.files.atomic import remove_leftovers
from cyclevos.media.open_source import open_source
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array

READY = "ready"
"""Folder of the steps that are being prepared."""
STATE = "state"
"""Folder where tracking keeps its snapshots."""

T = TypeVar("T")


class OpenFolder:
    """An open folder with everything that belongs to one video.

    Args:
        folder: holds project.json; its last part is the project's id.
        pictures: keeps those of all projects of the server; None = of this one alone.

    Raises:
        CycleVOSError: the folder is not a project, is open in another server, or its video is missing.
    """

    def __init__(self, folder: Path, pictures: KeptPictures | None = None) -> None:
        self.folder, self.id = folder, folder.name
        self.file = load_project_file(folder)
        self._owned = FolderLock(folder)
        self.lock, self.hub = threading.RLock(), Hub()
        self.closing, self.is_closed = threading.Event(), False
        try:
            self.source = open_source(self.file.video(folder), deinterlace=self.file.deinterlace, pass_over=True)
            self._check_size()
            self.steps = Steps(self)
            self.masks = MaskStore(
                folder,
                (self.file.height, self.file.width),
                self.steps.note_files,
                gone=lambda index: gone_at(self.file.absences, index),
            )
            self.results = ResultLog(folder / RESULTS, self.steps.note_rows)
        except BaseException:
            self._owned.release()
            raise
        self._ordering = threading.Lock()
        self._ahead: int | None = None
        self._orders = count(time.time_ns() // 1000)  # a restarted server continues above its earlier numbers
        self.steps.unfinished.recover()
        self.steps.versions.recover()
        shutil.rmtree(folder / READY, ignore_errors=True)
        for each in (folder, folder / "history", folder / ADAPTED, *(folder / kind for kind in KINDS)):
            remove_leftovers(each)
        self.reader = FrameReader(self.source, pictures)
        self.index = known_index(folder, self.source, self.file.frames)
        self.read = 0
        self.problem: CycleVOSError | None = None
        self._indexing = threading.Thread(target=index_project, args=(self,), name="cyclevos-index", daemon=True)
        self._indexing.start()

    def close(self) -> None:
        """Stop reading the video and let others open the folder."""
        self.closing.set()
        self._indexing.join()
        with self.lock:
            self.is_closed = True
        self.reader.forget()
        self._owned.release()

    def check_open(self) -> None:
        """Refuse changes once the folder may be open elsewhere: one that was deleted and restored is.

        Raises:
            GoneError: the project was closed.
        """
        if self.is_closed:
            raise GoneError(
                f"The project {self.id} was deleted or closed meanwhile.",
                "If it was restored since, try again; otherwise restore it under Deleted on the start page.",
            )

    def next_order(self) -> int:
        """Return the next event's number; take it after the change that is told is made."""
        return next(self._orders)

    def state_numbers(self) -> dict[str, int]:
        """Return the order of a state and how many news had been told, by name.

        Take them before reading the state, so that what is told meanwhile counts as newer.
        """
        with self._ordering:
            if self._ahead is None:
                return {"order": self.next_order(), "told": self.hub.told}
            return {"order": self._ahead - 1, "told": self.hub.told - 1}

    @contextmanager
    def telling_ahead(self, index: int) -> Iterator[int]:
        """Give the number of news of a frame that are told before the change is made: a state read meanwhile is older.

        If the change cannot be made, the pages are told how the frame is.
        """
        with self._ordering:
            self._ahead = order = self.next_order()
        try:
            yield order
        except BaseException:
            self.tell_frames([index])
            raise
        finally:
            self._ahead = None

    @property
    def frames(self) -> int:
        """Number of frames; a lower bound until the whole video has been read."""
        return self.file.frames or max(self.read, self.source.len_hint or 1)

    def check_frame(self, index: int) -> int:
        """Return a frame's index.

        Raises:
            NotFoundError: the video does not have this frame.
        """
        if not 0 <= index < self.frames:
            raise NotFoundError(
                f"There is no frame {index}: the video has {self.frames}.", f"Choose one from 0 to {self.frames - 1}."
            )
        return index

    def mask(self, index: int) -> FrameMask:
        """Return a frame's mask; a step that is being made does not hold this up."""
        return self._unlocked(self.masks.read, self.check_frame(index))

    def mask_before(self, index: int) -> UInt8Array | None:
        """Return a frame's mask before its correction; None without one."""
        return self._unlocked(self.masks.read_before, self.check_frame(index))

    @property
    def state_folder(self) -> Path:
        """Where tracking keeps its snapshots."""
        return self.folder / STATE

    def drop_snapshots(self) -> None:
        """Discard the snapshots: a run that went on from one would take the masks before it for its own."""
        shutil.rmtree(self.state_folder, ignore_errors=True)

    def change(self, edit: Callable[[ProjectFile], None]) -> None:
        """Edit project.json, save it, and tell the pages."""
        with self.lock:
            self.check_open()
            changed = self.file.model_copy(deep=True)
            edit(changed)
            self.steps.note_fields(self.file, changed)
            changed.save(self.folder)
            self.file = changed
        self.hub.publish("changed", {})

    def list_objects(self, object_ids: Iterable[int], names: Mapping[int, str] = MappingProxyType({})) -> None:
        """Add those objects to the list that it does not have.

        Args:
            object_ids: of the objects.
            names: what to call some of them, by id.
        """
        new = self.file.unlisted(object_ids)
        if new:
            infos = [ObjectInfo(id=i, name=names.get(i, "").strip()[:80].strip() or f"object {i}") for i in new]
            self.change(lambda file: file.add_objects(infos))

    @contextmanager
    def step(
        self, title: str, *, frame: int | None = None, amend: int | None = None, always: bool = False
    ) -> Iterator[None]:
        """Make the changes inside one step, which nobody else's change comes between, and which can be undone.

        If the block raises, its changes are taken back. A step inside another one belongs to it.

        Args:
            title: what the step does, for the person who takes it back: "Swap 1 and 2 from frame 12 on".
            frame: to show when it is undone; None = the first that changes.
            amend: id of the last step, to become one with it.
            always: even if nothing changes.
        """
        with self.lock, self.steps.recorded(title, frame, amend, always=always):
            yield

    def news_of(self, index: int, *, with_mask: bool = False) -> dict[str, Any]:
        """Return what a page is told of a frame as it is now, as JSON values."""
        shown, corrected = replace(self.mask(index), order=self.next_order()), index in self.masks.corrected
        known = present(self, index, self.results[index])
        return frame_news(index, shown, known, corrected=corrected, with_mask=with_mask)

    def tell_frames(self, indices: Sequence[int]) -> None:
        """Tell the pages that frames have changed."""
        if len(indices) > MOST_TOLD:
            self.hub.publish("changed", {"everything": True})
            return
        for index in indices:
            self.hub.publish("mask", partial(self.news_of, index))

    def _unlocked(self, read: Callable[[int], T], index: int) -> T:
        try:
            return read(index)
        except MaskError:  # its file may just have been removed
            with self.lock:
                return read(index)

    def _check_size(self) -> None:
        size = self.file.height, self.file.width
        if self.source.size != size:
            made = f"the project was made for {size_text(size)}"
            raise MaskError(f"{self.source.path} is {size_text(self.source.size)} now, but {made}.", PUT_BACK)
