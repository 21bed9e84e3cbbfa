"""Versions of the tracked masks: what each of the last tracking runs replaced, to be looked at and brought back.

history/versions.jsonl   a line for each run that is kept; the contents lie in history/files
"""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclevos.app.errors import NotFoundError
from cyclevos.app.projects.absent_objects import present
from cyclevos.app.projects.durable_files import check_there, saving
from cyclevos.app.projects.frame_mask import FrameMask, status_of
from cyclevos.app.projects.history import History
from cyclevos.app.projects.kept_contents import digest_of
from cyclevos.app.projects.mask_names import index_of, indices_of, is_mask_name, kind_of, mask_name
from cyclevos.app.projects.mask_pngs import read_mark
from cyclevos.app.projects.result_log import FrameResult, listed, record_of, result_of
from cyclevos.app.projects.run_in_progress import RunInProgress, left_run
from cyclevos.errors import CycleVOSError
from cyclevos.files.records import read_records, write_records
from cyclevos.words import counted

if TYPE_CHECKING:
    from cyclevos.app.projects.open_folder import OpenFolder

logger = logging.getLogger(__name__)

MOST_VERSIONS = 10


@dataclass(frozen=True)
class Version:
    """What one tracking run replaced.

    Attributes:
        id: counts up.
        title: what the run did.
        time: when it ended, seconds since 1970.
        files: digests of the masks that it replaced, by name in the project's folder; None = there was none.
        rows: results of the same frames, as JSON values.
        marks: digests of the marks that the same frames had then, by name; bringing back leaves today's marks alone.
    """

    id: int
    title: str
    time: float
    files: Mapping[str, str | None] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, str] = field(default_factory=dict)

    @property
    def frames(self) -> list[int]:
        """The frames that the run changed, in order."""
        return sorted({*indices_of(self.files), *map(int, self.rows)})


class Versions:
    """The versions of an open project.

    Args:
        project: that they belong to.
        history: keeps the contents.
    """

    def __init__(self, project: OpenFolder, history: History) -> None:
        self._project, self._history = project, history
        self._log = project.folder / "history" / "versions.jsonl"
        self._running_log = self._log.with_name("running.jsonl")
        records, _ = read_records(self._log)
        self._kept = [version for record in records if (version := _version_of(record)) is not None]
        self._running: RunInProgress | None = None
        history.pinned = self._pinned

    @property
    def is_running(self) -> bool:
        """Whether tracking is at work; while the project's lock is held it neither begins nor ends."""
        return self._running is not None

    def note_file(self, path: Path) -> None:
        """Keep a mask before tracking replaces it, and the mark that lies over it."""
        running, name = self._running, path.relative_to(self._project.folder).as_posix()
        if running is None or name in running.files or kind_of(name) == "marks":
            return
        mark = mask_name("marks", index_of(name))
        kept = self._keep(mark)
        if kept is not None:
            running.note_mark(mark, kept)
        running.note_file(name, self._keep(name))

    def note_row(self, index: int, result: FrameResult) -> None:
        """Keep a frame's result before tracking replaces it."""
        if self._running is not None:
            self._running.note_row(index, result)

    @contextmanager
    def run(self, title: str) -> Iterator[None]:
        """Keep what tracking replaces inside as a version, however it ends."""
        with self._project.lock:
            self._project.check_open()
            self._project.steps.unfinished.take_back()  # later, it would take back what the run made
            self.recover()
            self._running = running = RunInProgress(self._running_log, title)
        try:
            yield
        finally:
            with self._project.lock:
                self._running = None
                if not self._project.is_closed:
                    self._end(running)
                    self._sweep()

    def recover(self) -> None:
        """Keep what a run replaced that a kill cut off; the project is open as a whole by then."""
        left = left_run(self._running_log)
        if left is not None:
            self._end(left)

    def listing(self) -> list[dict[str, Any]]:
        """Return all versions as JSON values, in order."""
        return [{"id": each.id, "title": each.title, "time": each.time} for each in self._kept]

    def find(self, version_id: int) -> Version:
        """Return a version.

        Raises:
            NotFoundError: it is unknown, or not kept any more.
        """
        version = next((each for each in self._kept if each.id == version_id), None)
        if version is None:
            raise NotFoundError("This version is not kept any more.", "Choose another one from the history.")
        return version

    def look(self, version_id: int) -> dict[str, Any]:
        """Return what a page needs to show a version, except the masks, as JSON values.

        Raises:
            NotFoundError: the version is not kept.
            ConflictError: a file of the history is damaged.
        """
        with self._project.lock:
            version = self.find(version_id)
            frames = {index: self._told(version, index) for index in version.frames}
        return {"id": version.id, "title": version.title, "time": version.time, "frames": frames}

    def mask(self, version_id: int, index: int) -> FrameMask:
        """Return what a frame showed before the run replaced it, without the objects that are said to be gone now.

        Raises:
            NotFoundError: the version is not kept, or the run has not changed this frame.
            ConflictError: a file of the history is damaged.
        """
        with self._project.lock:
            version, masks = self.find(version_id), self._project.masks
            if index not in version.frames:
                raise NotFoundError(f"The run did not change frame {index}.", "Ask for the mask that it shows now.")
            mark = self._history.content(version.marks.get(mask_name("marks", index)))
            name = mask_name("masks", index)
            if mark is None and name not in version.files:  # its reliability alone is another one
                ids = masks.read_tracked(index)
                return masks.as_shown(index, None) if ids is None else FrameMask(ids, None, True)
            tracked = self._history.content(version.files.get(name))
        return masks.as_shown(index, tracked, mark)

    def _end(self, run: RunInProgress) -> None:
        try:
            self._add(run)
            run.end()
        except CycleVOSError as error:  # how the run ended is worth more than what it replaced
            logger.warning("What a tracking run replaced is not kept: %s", error)
            with suppress(CycleVOSError):  # its contents are not kept either
                run.end()

    def _add(self, run: RunInProgress) -> None:
        files = {name: old for name, old in run.files.items() if old != digest_of(self._project.folder / name)}
        changed = indices_of(files)
        told = {
            str(index): record_of(index, row)
            for index, row in run.rows.items()
            if index in changed or row.reliability != self._project.results[index].reliability
        }
        frames = changed | set(map(int, told))
        if not frames:
            return
        marks = {name: mark for name, mark in run.marks.items() if index_of(name) in frames}
        number = 1 + max((each.id for each in self._kept), default=0)
        stored = indices_of(run.files) | run.rows.keys()  # as many as the run says that it tracked
        title = f"{run.title}, {counted(len(stored), 'frame')}"
        self._kept = [*self._kept, Version(number, title, time.time(), files, told, marks)][-MOST_VERSIONS:]
        check_there(self._project.folder)
        with saving(self._log.parent):
            write_records(self._log, map(asdict, self._kept))

    def _told(self, version: Version, index: int) -> dict[str, Any]:
        """Return what was known of a frame, as JSON values."""
        content = self._history.content(version.marks.get(mask_name("marks", index)))
        mark = None if content is None else read_mark(io.BytesIO(content))
        name = mask_name("masks", index)
        tracked = version.files[name] is not None if name in version.files else index in self._project.masks.tracked
        known = present(self._project, index, result_of(version.rows.get(str(index), {})))
        objects = [] if mark is None else sorted(mark.objects)
        status = status_of(mark, tracked=tracked)
        return {"status": status, "tracked": tracked, "objects": objects, "result": listed(known)}

    def _pinned(self) -> set[str]:
        holders: list[Version | RunInProgress] = [*self._kept, *([] if self._running is None else [self._running])]
        return {name for each in holders for name in (*each.files.values(), *each.marks.values()) if name}

    def _sweep(self) -> None:
        """Remove what only runs replaced that are not kept any more."""
        try:
            self._history.sweep()
        except CycleVOSError as error:
            logger.warning("Contents of old tracking runs could not be removed: %s", error)

    def _keep(self, name: str) -> str | None:
        return self._history.keep(self._project.folder / name, flush=False)


def _version_of(record: Mapping[str, Any]) -> Version | None:
    """Read a version; None where the line is none that this version of the program writes."""
    try:
        version = Version(**record)
        names = [*map(is_mask_name, (*version.files, *version.marks))]
        rows = [index.isdecimal() for index in version.rows]
    except (AttributeError, TypeError):
        return None
    return version if isinstance(version.id, int) and all(names) and all(rows) else None
