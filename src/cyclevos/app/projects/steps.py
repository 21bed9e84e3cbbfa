"""Steps of a person: recording what changes inside one, and taking back what failed half-way."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclevos.app.projects.field_changes import Pair, difference
from cyclevos.app.projects.history import History, Step
from cyclevos.app.projects.kept_contents import digest_of
from cyclevos.app.projects.mask_names import index_of, indices_of, kind_of, mask_name
from cyclevos.app.projects.project_file import ProjectFile
from cyclevos.app.projects.result_log import FrameResult, record_of
from cyclevos.app.projects.unfinished import Unfinished
from cyclevos.app.projects.versions import Versions
from cyclevos.errors import CycleVOSError

if TYPE_CHECKING:
    from cyclevos.app.projects.open_folder import OpenFolder

logger = logging.getLogger(__name__)

MOST_TOLD = 24  # frames that are told one by one; of more, the pages fetch everything


class Steps:
    """The history of an open project.

    Args:
        project: that it belongs to.
    """

    def __init__(self, project: OpenFolder) -> None:
        self._project = project
        self.history = History(project.folder)
        self.versions = Versions(project, self.history)
        self.unfinished = Unfinished(project, self.history)
        self.moving = threading.Lock()  # held by whoever undoes or redoes a step
        self.restored = 0  # how often tracked masks and what is known of them were put back
        self._open: _Recording | None = None

    def note_files(self, paths: Collection[Path]) -> None:
        """Remember files of masks before they change.

        Raises:
            UnsavedError: the disk takes no more.
        """
        if self._open is None:
            for path in paths:
                self.versions.note_file(path)
            return
        new = {path: self.history.keep(path) for path in paths if path not in self._open.files}
        names = {path.relative_to(self._project.folder).as_posix(): kept for path, kept in new.items()}
        self.unfinished.note_files(names)
        self._open.files |= new

    def note_rows(self, rows: Mapping[int, FrameResult]) -> None:
        """Remember results of frames before they change; raises like :meth:`note_files`."""
        if self._open is None:
            for index, result in rows.items():
                self.versions.note_row(index, result)
            return
        new = {index: result for index, result in rows.items() if index not in self._open.rows}
        self.unfinished.note_rows(new)
        self._open.rows |= new

    def note_fields(self, before: ProjectFile, after: ProjectFile) -> None:
        """Remember values of project.json before they change."""
        if self._open is not None:
            old, new = before.model_dump(), after.model_dump()
            for name in (name for name in old if old[name] != new[name] and name not in self._open.fields):
                self._open.fields[name] = old[name]
                self.unfinished.note_field(name, old[name])

    @contextmanager
    def recorded(self, title: str, frame: int | None, amend: int | None, *, always: bool) -> Iterator[None]:
        """Make one step of the changes inside; inside another step they belong to that one.

        If the block raises, or the step cannot be kept, the changes are taken back.
        """
        if self._open is not None:
            yield
            return
        with self.changing(frame) as made:
            yield
            step = self._close(made, title)
            if always or step.files or step.rows or step.fields:
                self.history.add(step, amend)

    @contextmanager
    def changing(self, frame: int | None = None) -> Iterator[_Recording]:
        """Record what changes inside; if the block raises, all of it is taken back. The caller has the lock.

        Raises:
            GoneError: the project was closed.
        """
        self._project.check_open()
        self.unfinished.begin()
        self._open = made = _Recording(frame)
        try:
            yield made
        except BaseException:
            self._open = None
            self._take_back(made)
            raise
        finally:
            self._open = None
        self.unfinished.end()
        self.tell()

    def note_restored(self) -> None:
        """Say that tracked masks were put back: neither tracking nor a review may take them for its own."""
        self.restored += 1
        self._project.drop_snapshots()

    def tell(self) -> None:
        """Tell the pages what would be undone and redone."""
        self._project.hub.publish("history", self.news())

    def news(self) -> dict[str, Any]:
        """Return what would be undone and redone now, with the number of that news."""
        return {"order": self._project.next_order(), **self.summary()}

    def summary(self) -> dict[str, Any]:
        """Return what would be undone and redone, as JSON values."""
        kept = {"undo": self.history.next_undo, "redo": self.history.next_redo}
        return {way: None if step is None else _told(step) for way, step in kept.items()}

    def listing(self) -> list[dict[str, Any]]:
        """Return all steps as JSON values, in order."""
        steps, done = self.history.past
        return [{**_told(step), "time": step.time, "undone": place >= done} for place, step in enumerate(steps)]

    def _close(self, made: _Recording, title: str) -> Step:
        """Keep what changed and return it as a step without an id."""
        project = self._project
        kept = ((path, was, self.history.keep(path)) for path, was in made.files.items())
        files = {path.relative_to(project.folder).as_posix(): (was, now) for path, was, now in kept}
        rows = {i: (record_of(i, was), record_of(i, project.results[i])) for i, was in made.rows.items()}
        now = project.file.model_dump()
        frames = sorted(indices_of(files))
        files = {name: pair for name, pair in files.items() if pair[0] != pair[1]}
        return Step(
            id=0,
            title=title,
            time=time.time(),
            frame=made.frame if made.frame is not None or not frames else frames[0],
            files=files,
            rows={index: pair for index, pair in rows.items() if pair[0] != pair[1]},
            fields={name: difference(name, was, now[name]) for name, was in made.fields.items() if was != now[name]},
            under=self._under(files),
        )

    def _under(self, files: Collection[str]) -> dict[str, Pair]:
        """Return the digests of the tracked masks under marks that changed, where those have not changed themselves."""
        found = {}
        for mark in (name for name in files if kind_of(name) == "marks"):
            tracked = mask_name("masks", index_of(mark))
            if tracked not in files:
                found[mark] = (digest_of(self._project.folder / tracked),) * 2
        return found

    def _take_back(self, made: _Recording) -> None:
        """Put everything back as it was before a step that failed."""
        try:
            self.unfinished.put_back(made.files, made.rows, made.fields)
            self.unfinished.end()
        except CycleVOSError as error:  # the disk is full or gone: the next step tries again before it begins
            logger.warning("A step that failed could not be taken back: %s", error)


class _Recording:
    """What changed inside an open step, as it was before."""

    def __init__(self, frame: int | None) -> None:
        self.frame = frame
        self.files: dict[Path, str | None] = {}  # digests of their contents, which the history keeps
        self.rows: dict[int, FrameResult] = {}
        self.fields: dict[str, Any] = {}


def _told(step: Step) -> dict[str, Any]:
    return {"id": step.id, "title": step.title, "frame": step.frame}
