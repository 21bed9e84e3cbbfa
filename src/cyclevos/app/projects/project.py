"""An open project: its video, masks, objects and events, behind one lock."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import zlib
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np

from cyclevos.app.errors import ConflictError, MaskSizeError, NotFoundError, explain
from cyclevos.app.projects.events import Hub
from cyclevos.app.projects.folder_lock import FolderLock
from cyclevos.app.projects.frame_reader import FrameReader
from cyclevos.app.projects.mask_store import FrameMask, Mark, MaskStore, areas, describe_mask, painted_objects
from cyclevos.app.projects.project_file import ObjectInfo, ProjectFile, load_project_file
from cyclevos.app.projects.result_log import FrameResult, ResultLog, doubtful_frames
from cyclevos.app.projects.video_index import index_video, read_index, write_index
from cyclevos.errors import CycleVOSError, MaskError, VideoError
from cyclevos.media.open_source import open_source
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.pictures.palette import DAVIS_PALETTE

logger = logging.getLogger(__name__)

_PUT_BACK = "Put back the video that the project belongs to."


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
        try:
            self.source = open_source((folder / self.file.source).resolve(), deinterlace=self.file.deinterlace)
            self._check_size()
            self.masks = MaskStore(folder, (self.file.height, self.file.width))
            self.results = ResultLog(folder / "results.jsonl")
        except BaseException:
            self._owned.release()
            raise
        self.lock, self.hub = threading.RLock(), Hub()
        self._orders = count(time.time_ns() // 1000)  # a restarted server continues above its earlier numbers
        self.reader = FrameReader(self.source)
        known = read_index(folder)
        self.index = known if known is not None and len(known.times) == self.file.frames else None
        self.read = 0
        self.problem: CycleVOSError | None = None
        self._closing = threading.Event()
        self._indexing = threading.Thread(target=self._index, name="cyclevos-index", daemon=True)
        self._indexing.start()

    def close(self) -> None:
        """Stop reading the video and let others open the folder."""
        self._closing.set()
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
        """Return what a frame's mask was before its correction; None where nothing was corrected."""
        with self.lock:
            return self.masks.read_before(self.check_frame(index))

    @property
    def source_tag(self) -> str:
        """Hash of the video's path and modification time, the ETag of its frames."""
        place = self.source.path.resolve()
        return hashlib.sha256(f"{place} {place.stat().st_mtime_ns}".encode()).hexdigest()[:16]

    def state(self) -> dict[str, Any]:
        """Return all that a page needs to show the project, as JSON values."""
        with self.lock:
            file, tracked = self.file, self.masks.tracked
            rows = self.results.items()
            return {
                "id": self.id,
                "order": self.next_order(),
                **file.model_dump(exclude={"source", "format", "deinterlace"}),
                "frames": self.frames,
                "video": self.source.path.name,
                "times": [] if self.index is None else self.index.times,
                "thumbnails": [] if self.index is None else sorted(self.index.thumbnails),
                "reading": None if self.index is not None else self.read,
                "problem": None if self.problem is None else self.problem.problem,
                "remedy": None if self.problem is None else self.problem.remedy,
                "marks": {
                    index: {"objects": sorted(mark.objects), "accepted": mark.accepted}
                    for index, mark in self.masks.marks.items()
                },
                "tracked": sorted(tracked),
                "corrected": sorted(self.masks.corrected),
                "results": {index: [result.reliability, result.areas, result.calibrated] for index, result in rows},
                "review": self.review(),
            }

    def review(self) -> list[dict[str, Any]]:
        """Return the review list, least reliable first, without the frames that a person marked."""
        with self.lock:
            marks, tracked = self.masks.marks, self.masks.tracked
            rows = self.results.items()
        return doubtful_frames([(index, row) for index, row in rows if index in tracked and index not in marks])

    def change(self, edit: Callable[[ProjectFile], None]) -> None:
        """Edit project.json, save it, and tell the pages."""
        with self.lock:
            changed = self.file.model_copy(deep=True)
            edit(changed)
            changed.save(self.folder)
            self.file = changed
        self.hub.publish("changed", {})

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Make the changes inside one step, which nobody else's change comes between.

        Args:
            title: what the step does, for the person who takes it back: "Swap 1 and 2 from frame 12 on".
        """
        with self.lock:
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
        with self.lock:
            before = self._unchanged(self.check_frame(index), tag)
            held = Mark(frozenset()) if before.mark is None else before.mark
            mark = Mark(held.objects | painted_objects(before.ids, ids), held.accepted)
            self._know(ids)
            return self._mark(index, ids, mark)

    def import_mask(self, index: int, image: MaskImage) -> FrameMask:
        """Import a mask: its objects become marked; its palette is kept if it is the first mask."""
        if image.size != self.masks.size:
            raise MaskSizeError(image.size, self.masks.size)
        if not image.object_ids:
            raise MaskError("The mask shows no object: every pixel is background 0.", "Choose another file.")
        with self.lock:
            if image.palette is not None and image.palette != DAVIS_PALETTE and not self.masks.marks:
                colours = [f"#{image.palette[3 * k : 3 * k + 3].hex()}" for k in range(256)]
                self.change(lambda file: setattr(file, "palette", colours))
            self._know(image.ids)
            return self._mark(self.check_frame(index), image.ids, Mark(frozenset(image.object_ids)))

    def accept(self, index: int, accepted: bool) -> FrameMask:
        """Accept a frame with all objects as they are shown, or reopen it."""
        with self.lock:
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
        with self.lock:
            self.masks.forget_mark(self.check_frame(index))
            return self._announce(index, self.masks.read(index))

    def track_frame(self, index: int, ids: UInt8Array, result: FrameResult, before: UInt8Array | None) -> None:
        """Store the tracked mask of a frame, and show it unless the frame is accepted."""
        with self.lock:
            shown = self.masks.with_tracked(index, ids)
            reliability = {} if shown.mark is not None else result.reliability
            known = replace(result, reliability=reliability, areas=shown.areas)
            # Shown first: writing takes longer, and whoever asks for this frame waits for the lock.
            corrected = before is not None and not np.array_equal(before, ids)
            self._tell(index, replace(shown, order=self.next_order()), known, corrected=corrected, with_mask=True)
            self.masks.write_tracked(index, ids, before if corrected else None, shown)
            self.results.add(index, known)

    def remove_object(self, object_id: int) -> None:
        """Remove an object from the list and from every frame."""
        with self.lock:
            self.file.object(object_id)
            self.masks.remove_object(object_id)
            self.results.remove_object(object_id)

            def without(file: ProjectFile) -> None:
                file.objects = [info for info in file.objects if info.id != object_id]

            self.change(without)

    def _check_size(self) -> None:
        if self.source.size != (self.file.height, self.file.width):
            made = f"the project was made for {self.file.width}x{self.file.height}"
            problem = f"{self.source.path} is {size_text(self.source.size)} now, but {made}."
            raise MaskError(problem, _PUT_BACK)

    def _unchanged(self, index: int, tag: str) -> FrameMask:
        mask = self.masks.read(index)
        if mask.tag != tag:
            raise ConflictError(
                f"Frame {index} was changed elsewhere while you painted, in another tab or by tracking.",
                "The page shows the new mask. Paint again what is missing.",
            )
        return mask

    def _know(self, ids: UInt8Array) -> None:
        """Add a mask's new objects to the list."""
        known = {info.id for info in self.file.objects}
        new = [i for i in areas(ids) if i not in known]
        if new:
            infos = [ObjectInfo(id=i, name=f"object {i}") for i in new]
            self.change(lambda file: setattr(file, "objects", sorted([*file.objects, *infos], key=lambda o: o.id)))

    def _mark(self, index: int, ids: UInt8Array, mark: Mark) -> FrameMask:
        return self._announce(index, self.masks.write_mark(index, ids, mark))

    def _announce(self, index: int, shown: FrameMask) -> FrameMask:
        shown = replace(shown, order=self.next_order())
        known = replace(self.results[index], areas=shown.areas)
        self.results.add(index, known)
        self._tell(index, shown, known, corrected=index in self.masks.corrected, with_mask=False)
        return shown

    def _tell(self, index: int, shown: FrameMask, known: FrameResult, *, corrected: bool, with_mask: bool) -> None:
        if not self.hub.heard:
            return
        news = {"frame": index, **describe_mask(shown), **asdict(known), "corrected": corrected}
        if with_mask:
            news["mask"] = b64encode(zlib.compress(shown.ids.tobytes(), 1)).decode()
        self.hub.publish("mask", news)

    def _index(self) -> None:
        """Read the whole video once, to count its frames and make it seekable."""

        def progress(done: int) -> None:
            self.read = done
            if self.index is None:
                self.hub.publish("reading", {"done": done, "total": self.source.len_hint})

        if self.index is not None and self.source.frame_names is not None:
            return  # images are found without searching
        try:
            seen = index_video(self.source, progress, self._closing)
            if seen is not None and self.file.frames not in (None, len(seen.times)):
                made = f"the project was made when it had {self.file.frames}"
                raise VideoError(f"{self.source.path} has a frame count of {len(seen.times)}, but {made}.", _PUT_BACK)
            if seen is not None and self.index is None:
                length = len(seen.times)
                write_index(self.folder, seen)
                self.index = seen
                self.change(lambda file: setattr(file, "frames", length))
        except Exception as error:
            self.problem = explain(error)
            logger.warning("%s", self.problem, exc_info=not isinstance(error, CycleVOSError))
            self.hub.publish("changed", {})
