"""Steps of a person: recording what changes inside one, undoing, redoing, and taking back what failed half-way."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from cyclevos.app.projects.absences import gone_at
from cyclevos.app.projects.field_changes import difference, restored
from cyclevos.app.projects.frame_mask import FrameMask
from cyclevos.app.projects.history import History, Step
from cyclevos.app.projects.kept_contents import content_of, digest_of
from cyclevos.app.projects.mask_names import indices_of, kind_of, mask_name
from cyclevos.app.projects.project_file import ObjectInfo, ProjectFile, set_values
from cyclevos.app.projects.result_log import FrameResult, parse_result, record_of
from cyclevos.app.projects.unfinished import Unfinished
from cyclevos.app.projects.versions import Versions
from cyclevos.errors import CycleVOSError

if TYPE_CHECKING:
    from cyclevos.app.projects.open_folder import OpenFolder

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

    def __init__(self, project: OpenFolder) -> None:
        self._project = project
        self.history = History(project.folder)
        self.versions = Versions(project, self.history)
        self.unfinished = Unfinished(project, self.history)
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
        new = {path: self.history.keep(content_of(path)) for path in paths if path not in self._open.files}
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

    def note_restored(self) -> None:
        """Say that tracked masks were put back: neither tracking nor a review may take them for its own."""
        self.restored += 1
        self._project.drop_snapshots()

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
        project = self._project
        kept = ((path, was, self.history.keep(content_of(path))) for path, was in made.files.items())
        files = {path.relative_to(project.folder).as_posix(): (was, now) for path, was, now in kept}
        rows = {i: (record_of(i, was), record_of(i, project.results[i])) for i, was in made.rows.items()}
        now = project.file.model_dump()
        frames = sorted(indices_of(files))
        return Step(
            id=0,
            title=title,
            time=time.time(),
            frame=made.frame if made.frame is not None or not frames else frames[0],
            files={name: pair for name, pair in files.items() if pair[0] != pair[1]},
            rows={index: pair for index, pair in rows.items() if pair[0] != pair[1]},
            fields={name: difference(name, was, now[name]) for name, was in made.fields.items() if was != now[name]},
        )

    def _take_back(self, made: _Recording) -> None:
        """Put everything back as it was before a step that failed."""
        project, changed = self._project, set()
        try:
            for path, kept in made.files.items():
                if digest_of(path) != kept:
                    changed.add(project.masks.put_back(path, self.history.content(kept)))
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
        same = {name: digest_of(project.folder / name) == pair[expected] for name, pair in step.files.items()}
        names = [name for name in step.files if same[name] or kind_of(name) == "marks"]
        contents = ((project.folder / name, self.history.content(step.files[name][wanted])) for name in names)
        project.masks.put_back_all(contents)
        frames = indices_of(names)
        for index in indices_of(name for name in names if not same[name]):
            project.masks.retrack(index)
        if step.files and not frames:
            return Moved(step, [], passed=True)
        whole = set() if "absences" in step.fields else {name for name in names if same[name]}
        rows = step.rows.items()
        project.results.add_all({i: self._row(i, pair[expected], pair[wanted], whole) for i, pair in rows})
        if step.tracked:
            self.note_restored()
        if step.fields:
            held = project.file.model_dump()
            fields = step.fields.items()
            values = {name: restored(held.get(name), pair[expected], pair[wanted]) for name, pair in fields}
            project.change(lambda file: set_values(file, _kept(project, file, values)))
        project.tell_frames(sorted(frames | set(step.rows)))
        return Moved(step, sorted(frames | set(step.rows)), passed=False)

    def _row(self, index: int, expected: dict[str, Any], wanted: dict[str, Any], whole: set[str]) -> FrameResult:
        """Return a frame's result to bring back; the held one, if it is of a mask that stays.

        Areas and islands follow from the mask that is shown. They are counted where that is not as the step held it,
        which takes a while: of the files of masks, `whole` are.
        """
        project = self._project
        held, (_, before), (_, after) = project.results[index], *map(_parsed, (expected, wanted))
        tracked, mark = mask_name("masks", index), mask_name("marks", index)
        is_same = tracked in whole or (held.reliability, held.calibrated) == (before.reliability, before.calibrated)
        known: FrameResult | FrameMask = after
        if (mark if index in project.masks.marks else tracked) not in whole or gone_at(project.file.absences, index):
            known = project.masks.read(index)
        return replace(after if is_same else held, areas=known.areas, islands=known.islands)


class _Recording:
    """What changed inside an open step, as it was before."""

    def __init__(self, frame: int | None) -> None:
        self.frame = frame
        self.files: dict[Path, str | None] = {}  # digests of their contents, which the history keeps
        self.rows: dict[int, FrameResult] = {}
        self.fields: dict[str, Any] = {}


def _told(step: Step) -> dict[str, Any]:
    return {"id": step.id, "title": step.title, "frame": step.frame}


def _parsed(record: dict[str, Any]) -> tuple[int, FrameResult]:
    return parse_result(record) or (0, FrameResult())


def _kept(project: OpenFolder, file: ProjectFile, values: dict[str, Any]) -> dict[str, Any]:
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
