"""An open project: its video, masks, objects and events, behind one lock."""

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
from typing import Any

import numpy as np

from cyclevos.app.errors import ConflictError, MaskSizeError, NotFoundError
from cyclevos.app.projects.absences import gone_at
from cyclevos.app.projects.absent_objects import end_absences, present
from cyclevos.app.projects.events import Hub
from cyclevos.app.projects.folder_lock import FolderLock
from cyclevos.app.projects.frame_news import frame_news
from cyclevos.app.projects.frame_reader import FrameReader
from cyclevos.app.projects.indexing import PUT_BACK, index_project
from cyclevos.app.projects.layers import Layers, write_layers
from cyclevos.app.projects.mask_store import FrameMask, Mark, MaskStore
from cyclevos.app.projects.object_pixels import areas, painted_objects
from cyclevos.app.projects.project_file import ObjectInfo, ProjectFile, load_project_file
from cyclevos.app.projects.result_log import FrameResult, ResultLog
from cyclevos.app.projects.steps import MOST_TOLD, Steps
from cyclevos.app.projects.video_index import read_index
from cyclevos.errors import CycleVOSError, MaskError
from cyclevos.media.open_source import open_source
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.pictures.palette import DAVIS_PALETTE


class Project:
    """An open folder with everything that belongs to one video.

    Args:
        folder: holds project.json; its last part is the project's id.

    Raises:
        CycleVOSError: the folder is not a project, is open in another server, or its video is missing.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.id = folder, folder.name
        self.file = load_project_file(folder)
        self._owned = FolderLock(folder)
        self.lock, self.hub = threading.RLock(), Hub()
        try:
            self.source = open_source((folder / self.file.source).resolve(), deinterlace=self.file.deinterlace)
            self._check_size()
            self.steps = Steps(self)
            self.masks = MaskStore(
                folder,
                (self.file.height, self.file.width),
                self.steps.note_file,
                gone=lambda index: gone_at(self.file.absences, index),
            )
            self.results = ResultLog(folder / "results.jsonl", self.steps.note_row)
        except BaseException:
            self._owned.release()
            raise
        self._orders = count(time.time_ns() // 1000)  # a restarted server continues above its earlier numbers
        self.steps.unfinished.recover()
        self.reader = FrameReader(self.source)
        known = read_index(folder)
        self.index = known if known is not None and len(known.times) == self.file.frames else None
        if self.index is not None and self.index.seek is not None and self.index.content == self.source.content:
            self.source.use_seek_table(self.index.seek)
        self.read = 0
        self.problem: CycleVOSError | None = None
        self.closing = threading.Event()
        self._indexing = threading.Thread(target=index_project, args=(self,), name="cyclevos-index", daemon=True)
        self._indexing.start()

    def close(self) -> None:
        """Stop reading the video and let others open the folder."""
        self.closing.set()
        self._indexing.join()
        self._owned.release()

    def next_order(self) -> int:
        """Return the next event's number; take it before reading the state that is sent."""
        return next(self._orders)

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
        """Return a frame's mask."""
        with self.lock:
            return self.masks.read(self.check_frame(index))

    def mask_before(self, index: int) -> UInt8Array | None:
        """Return a frame's mask before its correction; None without one."""
        with self.lock:
            return self.masks.read_before(self.check_frame(index))

    @property
    def state_folder(self) -> Path:
        """Where tracking keeps its snapshots."""
        return self.folder / "state"

    def drop_snapshots(self) -> None:
        """Discard the snapshots: a run that went on from one would take the masks before it for its own."""
        shutil.rmtree(self.state_folder, ignore_errors=True)

    def change(self, edit: Callable[[ProjectFile], None]) -> None:
        """Edit project.json, save it, and tell the pages."""
        with self.lock:
            changed = self.file.model_copy(deep=True)
            edit(changed)
            self.steps.note_fields(self.file, changed)
            changed.save(self.folder)
            self.file = changed
        self.hub.publish("changed", {})

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

    def paint(self, index: int, ids: UInt8Array, tag: str) -> FrameMask:
        """Store what a person painted.

        Args:
            index: of the frame.
            ids: the whole mask as it looks now, uint8 (H,W).
            tag: of the mask that was painted on.

        Raises:
            ConflictError: the mask has changed since, for example in another tab.
        """
        with self.step("Paint", frame=index, always=True):
            before = self._unchanged(self.check_frame(index), tag)
            if before.mark is None and np.array_equal(before.ids, ids):
                return before  # a click that changed nothing says nothing
            held = Mark(frozenset()) if before.mark is None else before.mark
            mark = Mark(held.objects | painted_objects(before.ids, ids), held.accepted)
            self._know(areas(ids))
            return self._mark(index, ids, mark)

    def import_mask(self, index: int, image: MaskImage) -> FrameMask:
        """Import a mask: its objects become marked; its palette is kept if it is the first mask."""
        if image.size != self.masks.size:
            raise MaskSizeError(image.size, self.masks.size)
        if not image.object_ids:
            raise MaskError("The mask shows no object: every pixel is background 0.", "Choose another file.")
        with self.step("Import a mask", frame=index):
            if image.palette is not None and image.palette != DAVIS_PALETTE and not self.masks.marks:
                colours = [f"#{image.palette[3 * k : 3 * k + 3].hex()}" for k in range(256)]
                self.change(lambda file: setattr(file, "palette", colours))
            self._know(areas(image.ids))
            return self._mark(self.check_frame(index), image.ids, Mark(frozenset(image.object_ids)))

    def accept(self, index: int, accepted: bool) -> FrameMask:
        """Accept a frame with all objects as they are shown, or reopen it."""
        with self.step("Accept the frame" if accepted else "Reopen the frame", frame=index):
            mask = self.masks.read(self.check_frame(index))
            by_hand = frozenset[int]() if mask.mark is None else mask.mark.objects
            if accepted:
                return self._mark(index, mask.ids, Mark(by_hand, True))
            if mask.mark is None:
                return mask
            tracked = self.masks.read_tracked(index)
            if not by_hand and (not mask.ids.any() if tracked is None else np.array_equal(mask.ids, tracked)):
                return self.forget(index)
            # Tracking has run again since: the masks shown stay, and count as marked.
            return self._mark(index, mask.ids, Mark(by_hand or frozenset(areas(mask.ids)), False))

    def forget(self, index: int) -> FrameMask:
        """Discard a frame's mark and show the tracked mask again."""
        with self.step("Clear the frame", frame=index):
            self.masks.forget_mark(self.check_frame(index))
            return self._announce(index, self.masks.read(index))

    def track_frame(self, index: int, ids: UInt8Array, result: FrameResult, before: UInt8Array | None) -> None:
        """Store the tracked mask of a frame, and show it unless the frame is accepted."""
        with self.lock:
            shown = self.masks.with_tracked(index, ids)
            self._know(shown.areas)  # an object may have been taken out of the list while tracking was at work
            reliability = {} if shown.mark is not None else result.reliability
            known = replace(result, reliability=reliability, areas=shown.areas, islands=shown.islands)
            # Shown first: writing takes longer, and whoever asks for this frame waits for the lock.
            corrected = before is not None and not np.array_equal(before, ids)
            told = replace(shown, order=self.next_order())
            row = present(self, index, known)
            self._tell(partial(frame_news, index, told, row, corrected=corrected, with_mask=True))
            self.masks.write_tracked(index, ids, before if corrected else None, shown)
            self.results.add(index, known)

    def judge_frame(self, index: int, reliability: Mapping[int, float], *, tag: str, calibrated: bool) -> None:
        """Store the reliability of the mask with this tag, unless another one is shown now; a mark has none."""
        with self.lock:
            shown = self.masks.read(index)
            if shown.tag == tag:
                self._announce(index, shown, FrameResult({} if shown.mark else reliability, {}, calibrated))

    def put_layers(self, index: int, layers: Layers, result: FrameResult) -> FrameMask:
        """Store what an edit made of a frame's masks and of what is known of them, and tell the pages."""
        with self.lock:
            end_absences(self, index, areas(layers.shown))
            write_layers(self.masks, index, layers)
            return self._announce(index, self.masks.read(index), result)

    def remove_object(self, object_id: int) -> None:
        """Remove an object from the list and from every frame."""
        with self.step(f"Delete {self.file.object(object_id).name}"):
            self.masks.remove_object(object_id)
            self.results.remove_object(object_id)

            def without(file: ProjectFile) -> None:
                file.objects = [info for info in file.objects if info.id != object_id]
                file.absences = [each for each in file.absences if each.object != object_id]

            self.change(without)

    def _check_size(self) -> None:
        if self.source.size != (self.file.height, self.file.width):
            made = f"the project was made for {self.file.width}x{self.file.height}"
            raise MaskError(f"{self.source.path} is {size_text(self.source.size)} now, but {made}.", PUT_BACK)

    def _unchanged(self, index: int, tag: str) -> FrameMask:
        mask = self.masks.read(index)
        if mask.tag != tag:
            raise ConflictError(
                f"Frame {index} was changed elsewhere while you painted, in another tab or by tracking.",
                "The page shows the new mask. Paint again what is missing.",
            )
        return mask

    def _know(self, object_ids: Iterable[int]) -> None:
        """Add a mask's new objects to the list."""
        new = self.file.unlisted(object_ids)
        if new:
            self.change(lambda file: file.add_objects(ObjectInfo(id=i, name=f"object {i}") for i in new))

    def _mark(self, index: int, ids: UInt8Array, mark: Mark) -> FrameMask:
        end_absences(self, index, mark.objects & areas(ids).keys())
        return self._announce(index, self.masks.write_mark(index, ids, mark))

    def _announce(self, index: int, shown: FrameMask, result: FrameResult | None = None) -> FrameMask:
        shown = replace(shown, order=self.next_order())
        known = replace(self.results[index] if result is None else result, areas=shown.areas, islands=shown.islands)
        self.results.add(index, known)
        corrected = index in self.masks.corrected
        self._tell(lambda: frame_news(index, shown, present(self, index, known), corrected=corrected))
        return shown

    def news_of(self, index: int, *, with_mask: bool = False) -> dict[str, Any]:
        """Return what a page is told of a frame as it is now, as JSON values."""
        shown, corrected = replace(self.masks.read(index), order=self.next_order()), index in self.masks.corrected
        known = present(self, index, self.results[index])
        return frame_news(index, shown, known, corrected=corrected, with_mask=with_mask)

    def tell_frames(self, indices: Sequence[int]) -> None:
        """Tell the pages that frames have changed."""
        if len(indices) > MOST_TOLD:
            self.hub.publish("changed", {"everything": True})
            return
        for index in indices:
            self._tell(partial(self.news_of, index))

    def _tell(self, news: Callable[[], dict[str, Any]]) -> None:
        """Tell the pages, if there are any: to hash and compress a mask takes a while."""
        if self.hub.heard:
            self.hub.publish("mask", news())
