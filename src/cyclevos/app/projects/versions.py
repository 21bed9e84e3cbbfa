"""Versions of the tracked masks: what each of the last tracking runs replaced, so that it can be brought back.

history/versions.jsonl   a line for each run that is kept; the contents lie in history/files
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclevos.app.errors import NotFoundError
from cyclevos.app.projects.durable_files import check_there, saving
from cyclevos.app.projects.history import History, digest, is_mask_name
from cyclevos.app.projects.result_log import FrameResult, parse_result, record_of
from cyclevos.errors import CycleVOSError
from cyclevos.files.records import read_records, write_records
from cyclevos.words import counted

if TYPE_CHECKING:
    from cyclevos.app.projects.project import Project

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
    """

    id: int
    title: str
    time: float
    files: Mapping[str, str | None] = field(default_factory=dict)
    rows: Mapping[str, Any] = field(default_factory=dict)


class Versions:
    """The versions of an open project.

    Args:
        project: that they belong to.
        history: keeps the contents.
    """

    def __init__(self, project: Project, history: History) -> None:
        self._project, self._history = project, history
        self._log = project.folder / "history" / "versions.jsonl"
        records, _ = read_records(self._log)
        self._kept = [version for record in records if (version := _version_of(record)) is not None]
        self._running: tuple[dict[str, str | None], dict[int, FrameResult]] | None = None
        history.pinned = self._pinned

    def note_file(self, path: Path) -> None:
        """Keep a mask before tracking replaces it."""
        name = path.relative_to(self._project.folder).as_posix()
        if self._running is not None and name not in self._running[0] and path.parent.name != "marks":
            data = path.read_bytes() if path.exists() else None
            self._running[0][name] = self._history.keep(data, flush=False)

    def note_row(self, index: int, result: FrameResult) -> None:
        """Keep a frame's result before tracking replaces it."""
        if self._running is not None:
            self._running[1].setdefault(index, result)

    @contextmanager
    def run(self, title: str) -> Iterator[None]:
        """Keep what tracking replaces inside as a version, however it ends."""
        with self._project.lock:
            self._running = {}, {}
        try:
            yield
        finally:
            with self._project.lock:
                (files, rows), self._running = self._running, None
                try:
                    self._add(title, {name: old for name, old in files.items() if old != self._digest(name)}, rows)
                except CycleVOSError as error:  # how the run ended is worth more than what it replaced
                    logger.warning("What a tracking run replaced is not kept: %s", error)
                self._sweep()

    def listing(self) -> list[dict[str, Any]]:
        """Return all versions as JSON values, in order."""
        return [{"id": each.id, "title": each.title, "time": each.time} for each in self._kept]

    def bring_back(self, version_id: int) -> None:
        """Bring back what a tracking run replaced, as a step that can be undone.

        Raises:
            NotFoundError: the version is unknown.
            UnsavedError: the project cannot be written to.
        """
        project = self._project
        version = next((each for each in self._kept if each.id == version_id), None)
        if version is None:
            raise NotFoundError("This version is not kept any more.", "Choose another one.")
        with project.step(f"Bring back what was before: {version.title}"):
            frames = set(map(int, version.rows))
            for name, old in version.files.items():
                frames.add(project.masks.put_back(project.folder / name, self._history.content(old)))
            for index in sorted(frames):
                project.masks.retrack(index)
                row = parse_result(version.rows.get(str(index), {}))
                known, shown = project.results[index] if row is None else row[1], project.masks.read(index)
                project.results.add(index, replace(known, areas=shown.areas, islands=shown.islands))
            # A run that goes on from a snapshot would take the frames before it for tracked.
            project.drop_snapshots()
        project.tell_frames(sorted(frames))

    def _add(self, title: str, files: dict[str, str | None], rows: dict[int, FrameResult]) -> None:
        changed = {int(Path(name).stem) for name in files}
        told = {
            str(index): record_of(index, row)
            for index, row in rows.items()
            if index in changed or row.reliability != self._project.results[index].reliability
        }
        frames = changed | set(map(int, told))
        if not frames:
            return
        number = 1 + max((each.id for each in self._kept), default=0)
        version = Version(number, f"{title}, {counted(len(frames), 'frame')}", time.time(), files, told)
        self._kept = [*self._kept, version][-MOST_VERSIONS:]
        check_there(self._project.folder)
        with saving(self._log.parent):
            write_records(self._log, map(asdict, self._kept))

    def _pinned(self) -> set[str]:
        running = {} if self._running is None else self._running[0]
        return {name for files in (running, *(each.files for each in self._kept)) for name in files.values() if name}

    def _sweep(self) -> None:
        """Remove what only runs replaced that are not kept any more."""
        try:
            self._history.sweep()
        except CycleVOSError as error:
            logger.warning("Contents of old tracking runs could not be removed: %s", error)

    def _digest(self, name: str) -> str | None:
        path = self._project.folder / name
        return digest(path.read_bytes()) if path.exists() else None


def _version_of(record: Mapping[str, Any]) -> Version | None:
    """Read a version; None where the line is none that this version of the program writes."""
    try:
        version = Version(**record)
        names = [*map(is_mask_name, version.files)]
        rows = [index.isdecimal() for index in version.rows]
    except (AttributeError, TypeError):
        return None
    return version if isinstance(version.id, int) and all(names) and all(rows) else None
