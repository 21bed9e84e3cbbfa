"""Steps of a person: recording what changes inside one, undoing, redoing, and taking back what failed half-way."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cyclevos.app.projects.history import History, Step, digest
from cyclevos.app.projects.project_file import ObjectInfo, ProjectFile, set_values
from cyclevos.app.projects.result_log import FrameResult, parse_result, record_of
from cyclevos.app.projects.unfinished import Unfinished
from cyclevos.app.projects.versions import Versions
from cyclevos.errors import CycleVOSError

if TYPE_CHECKING:
    from cyclevos.app.projects.project import Project

logger = logging.getLogger(__name__)

MOST_TOLD = 24  # frames that are told one by one; of more, the pages fetch everything


class Moved(NamedTuple):
    """A step that was undone or redone.

    Attributes:
        step: the step.
        frames: indices of the frames that changed.
        passed: nothing changed, because tracking has replaced everything that the step had changed.
    """

    step: Step
    frames: list[int]
    passed: bool


class Steps:
    """The history of an open project.

    Args:
        project: that it belongs to.
    """

    def __init__(self, project: Project) -> None:
        self._project = project
        self.history = History(project.folder)
        self.versions = Versions(project, self.history)
        self.unfinished = Unfinished(project, self.history)
        self._open: _Recording | None = None

    def note_file(self, path: Path) -> None:
        """Remember a file of masks before it changes."""
        if self._open is None:
            self.versions.note_file(path)
        elif path not in self._open.files:
            self._open.files[path] = data = _read(path)
            self.unfinished.note_file(path.relative_to(self._project.folder).as_posix(), data)

    def note_row(self, index: int, result: FrameResult) -> None:
        """Remember a frame's result before it changes."""
        if self._open is None:
            self.versions.note_row(index, result)
        elif index not in self._open.rows:
            self._open.rows[index] = result
            self.unfinished.note_row(index, result)

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
        with self._changing(frame) as made:
            yield
            step = self._close(made, title)
            if always or step.files or step.rows or step.fields:
                self.history.add(step, amend)

    def undo(self) -> Moved | None:
        """Undo the last step; None where nothing is left.

        Raises:
            ConflictError: what the step replaced is damaged on the disk.
            UnsavedError: the project cannot be written to.
        """
        with self._project.lock:
            return self._move(back=True)

    def redo(self) -> Moved | None:
        """Redo the step that was undone last; None where none is left.

        Raises:
            ConflictError, UnsavedError: as `undo`.
        """
        with self._project.lock:
            return self._move(back=False)

    def tell(self) -> None:
        """Tell the pages what would be undone and redone."""
        self._project.hub.publish("history", {"order": self._project.next_order(), **self.summary()})

    def summary(self) -> dict[str, Any]:
        """Return what would be undone and redone, as JSON values."""
        kept = {"undo": self.history.next_undo, "redo": self.history.next_redo}
        return {way: None if step is None else _told(step) for way, step in kept.items()}

    def listing(self) -> list[dict[str, Any]]:
        """Return all steps as JSON values, in order."""
        last = self.history.next_undo
        done = 0 if last is None else last.id
        return [{**_told(step), "time": step.time, "undone": step.id > done} for step in self.history.steps]

    def _close(self, made: _Recording, title: str) -> Step:
        """Keep what changed and return it as a step without an id."""
        project, keep = self._project, self.history.keep
        files = {path.relative_to(project.folder).as_posix(): (made.files[path], _read(path)) for path in made.files}
        rows = {i: (record_of(i, was), record_of(i, project.results[i])) for i, was in made.rows.items()}
        now = project.file.model_dump()
        frames = sorted(int(Path(name).stem) for name in files)
        return Step(
            id=0,
            title=title,
            time=time.time(),
            frame=made.frame if made.frame is not None or not frames else frames[0],
            files={name: (keep(was), keep(new)) for name, (was, new) in files.items() if was != new},
            rows={index: pair for index, pair in rows.items() if pair[0] != pair[1]},
            fields={name: (was, now[name]) for name, was in made.fields.items() if was != now[name]},
        )

    def _take_back(self, made: _Recording) -> None:
        """Put everything back as it was before a step that failed."""
        project, changed = self._project, set()
        try:
            for path, data in made.files.items():
                if _read(path) != data:
                    changed.add(project.masks.put_back(path, data))
            for index, result in made.rows.items():
                if project.results[index] != result:
                    project.results.add(index, result)
                    changed.add(index)
            if made.fields:
                project.change(lambda file: set_values(file, made.fields))
            self.unfinished.end()
        except CycleVOSError as error:  # the disk is full or gone: the next step tries again before it begins
            logger.warning("A step that failed could not be taken back: %s", error)
        project.tell_frames(sorted(changed))

    def _move(self, *, back: bool) -> Moved | None:
        step = self.history.next_undo if back else self.history.next_redo
        if step is None:
            return None
        with self._changing(None):
            moved = self._restore(step, back)
            self.history.note_undone(back=back)
        return moved

    @contextmanager
    def _changing(self, frame: int | None) -> Iterator[_Recording]:
        """Record what changes inside; if the block raises, all of it is taken back."""
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

    def _restore(self, step: Step, back: bool) -> Moved:
        """Bring back the state before or after a step.

        What tracking made since stays: tracked masks and results that are not as the step left them are kept.
        """
        project = self._project
        expected, wanted = (1, 0) if back else (0, 1)
        frames, restored = set[int](), set[int]()
        for name, pair in step.files.items():
            path = project.folder / name
            data, held = self.history.content(pair[wanted]), _read(path)
            is_same = (None if held is None else digest(held)) == pair[expected]
            if not is_same and not name.startswith("marks/"):
                continue
            index = project.masks.put_back(path, data)
            frames.add(index)
            if name.startswith("masks/"):
                restored.add(index)
            if not is_same:
                project.masks.retrack(index)
        if step.files and not frames:
            return Moved(step, [], passed=True)
        for index, rows in step.rows.items():
            self._restore_row(index, rows[expected], rows[wanted], with_mask=index in restored)
        if any(not name.startswith("marks/") for name in step.files):
            project.drop_snapshots()  # or tracking would take the masks that are back for those of its last run
        if step.fields:
            values = {name: pair[wanted] for name, pair in step.fields.items()}
            project.change(lambda file: set_values(file, _kept(project, file, values)))
        project.tell_frames(sorted(frames | set(step.rows)))
        return Moved(step, sorted(frames | set(step.rows)), passed=False)

    def _restore_row(self, index: int, expected: dict[str, Any], wanted: dict[str, Any], *, with_mask: bool) -> None:
        """Bring back a frame's result, unless it is a new one of a mask that stays; areas follow from the mask."""
        held, (_, before), (_, after) = self._project.results[index], *map(_parsed, (expected, wanted))
        is_same = with_mask or (held.reliability, held.calibrated) == (before.reliability, before.calibrated)
        shown = self._project.masks.read(index)
        self._project.results.add(index, replace(after if is_same else held, areas=shown.areas, islands=shown.islands))


class _Recording:
    """What changed inside an open step, as it was before."""

    def __init__(self, frame: int | None) -> None:
        self.frame = frame
        self.files: dict[Path, bytes | None] = {}
        self.rows: dict[int, FrameResult] = {}
        self.fields: dict[str, Any] = {}


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _told(step: Step) -> dict[str, Any]:
    return {"id": step.id, "title": step.title, "frame": step.frame}


def _parsed(record: dict[str, Any]) -> tuple[int, FrameResult]:
    return parse_result(record) or (0, FrameResult())


def _kept(project: Project, file: ProjectFile, values: dict[str, Any]) -> dict[str, Any]:
    """Return values to bring back; objects stay hidden and locked as they are, and listed while they have pixels."""
    if "objects" not in values:
        return values
    now = {info.id: info for info in file.objects}
    objects = {info["id"]: ObjectInfo.model_validate(info) for info in values["objects"]}
    for object_id, info in objects.items():
        if object_id in now:
            objects[object_id] = info.model_copy(update=now[object_id].model_dump(include={"hidden", "locked"}))
    painted = {object_id for _, result in project.results.items() for object_id in result.areas}
    objects |= {object_id: info for object_id, info in now.items() if object_id in painted - objects.keys()}
    return {**values, "objects": [info.model_dump() for _, info in sorted(objects.items())]}
