"""Bringing back what frames were: undoing and redoing steps, and what a tracking run replaced.

A mark that is brought back keeps its pixels, unless the tracked mask under it is another one by now: then it takes the
other objects from that. A tracked mask is brought back only while it is what the step left; where tracking has replaced
it, the step is over for it, undone or redone.

What was kept is laid ready as a draft while others go on, then put in place at once. For a few frames the project is
locked meanwhile. For many it is not, so somebody may make a step; undoing and redoing are refused then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.absences import gone_at
from cyclevos.app.projects.draft import Draft
from cyclevos.app.projects.field_changes import restored
from cyclevos.app.projects.history import History, Step
from cyclevos.app.projects.kept_contents import digest_of
from cyclevos.app.projects.mask_names import index_of, kind_of, mask_name
from cyclevos.app.projects.project_file import ObjectInfo, ProjectFile, set_values
from cyclevos.app.projects.result_log import FrameResult, parse_result, result_of

if TYPE_CHECKING:
    from cyclevos.app.projects.open_folder import OpenFolder

Check = Callable[[Step], None]
"""Called with a step before it is undone or redone; may raise. The second time, nobody else changes the project."""

_MOST_LOCKED = 24  # frames that are laid ready while the lock is held: others wait for a fraction of a second


class Moved(NamedTuple):
    """A step that was undone or redone.

    Attributes:
        step: the step.
        frames: indices of the frames that changed.
        passed: nothing changed, because the step had changed masks alone, and tracking has replaced all of them.
    """

    step: Step
    frames: list[int]
    passed: bool


def move(project: OpenFolder, *, back: bool, check: Check) -> Moved | None:
    """Undo the last step, or redo the one that was undone last; None where there is none.

    The caller does not have the project's lock.

    Raises:
        ConflictError: what the step replaced is damaged on the disk, or another step was made meanwhile.
        UnsavedError: the project cannot be written to.
    """
    steps, history = project.steps, project.steps.history
    with steps.moving:  # two who press it at once undo two steps
        step = _next(history, back)
        if step is None:
            return None
        check(step)
        side = _Side(project, step, back)
        with project.lock if len(side.frames) <= _MOST_LOCKED else nullcontext(), Draft(project, side.make) as draft:
            side.draft = draft
            try:
                for index in side.frames:
                    draft.add(index)
            except ConflictError as error:
                if _next(history, back) is not step:  # a new step let go of what would be redone
                    raise overtaken() from error
                raise
            draft.masks.flush()
            with project.lock:
                if _next(history, back) is not step:
                    raise overtaken()
                check(step)
                with steps.changing():
                    moved = side.put()
                    history.note_undone(back=back, passed=side.passed)
        return moved


def bring_back(project: OpenFolder, version_id: int, check: Callable[[], None]) -> None:
    """Bring back what a tracking run replaced, as a step that can be undone.

    Args:
        project: that was tracked.
        version_id: of the run.
        check: called before anything is changed, when nobody else changes the project any more; may raise.

    Raises:
        NotFoundError: the version is not kept.
        ConflictError: what it holds is damaged on the disk.
        UnsavedError: the project cannot be written to.
    """
    version = project.steps.versions.find(version_id)
    files: Mapping[int, list[str]] = _by_frame(version.files)

    def make(index: int) -> None:
        for name in files[index]:
            draft.lay(name, version.files[name])
        draft.masks.retrack(index)
        row = parse_result(version.rows.get(str(index), {}))
        known = project.results[index] if row is None else row[1]
        draft.know(index, known.counted(draft.masks.read(index)))

    with Draft(project, make) as draft:
        for index in version.frames:
            draft.add(index)
        with draft.step(f"Bring back what was before: {version.title}"):
            check()
            project.list_objects(draft.objects)  # some may have been deleted since
            project.steps.note_restored()


class _Side:
    """What a project was on one side of a step: what tracking made since stays.

    Tracked masks and results that are not as the step left them are kept.

    Attributes:
        frames: that the step changed, in order.
        draft: takes what they become.
    """

    draft: Draft

    def __init__(self, project: OpenFolder, step: Step, back: bool) -> None:
        self._project, self._step = project, step
        self._expected, self._wanted = (1, 0) if back else (0, 1)
        self._files, self._rows = _by_frame(step.files), dict(step.rows.items())  # which unpacks them once
        self._changed: dict[int, bool] = {}
        self._passed: dict[int, Collection[str]] = {}
        self.frames = sorted({*self._files, *self._rows})

    def make(self, index: int) -> None:
        """Lay ready what a frame becomes."""
        step, masks = self._step, self.draft.masks
        files = {name: step.files[name] for name in self._files[index] if name not in step.passed}
        same = {name: digest_of(masks.folder / name) == pair[self._expected] for name, pair in files.items()}
        names = {name for name in files if same[name] or kind_of(name) == "marks"}
        for name in names:
            self.draft.lay(name, files[name][self._wanted])
        mark = mask_name("marks", index)
        is_new = mark in names and self._is_tracked_since(mark, same, names)
        if is_new:
            masks.retrack(index)
        self._changed[index], self._passed[index] = bool(names), files.keys() - names
        if index in self._rows:
            whole = set() if "absences" in step.fields else names - ({mark} if is_new else set())
            self.draft.know(index, self._row(index, names, whole))

    def _is_tracked_since(self, mark: str, same: Mapping[str, bool], names: Collection[str]) -> bool:
        """Return whether the tracked mask under a mark is not the one whose other objects the mark shows.

        Args:
            mark: name of the mark that is brought back.
            same: whether files are as the step left them.
            names: of the files that are brought back.
        """
        tracked = mask_name("masks", index_of(mark))
        pair = self._step.files.get(tracked, self._step.under.get(mark))
        if pair is None:  # an earlier version made the step
            return not same[mark]
        return tracked not in names and digest_of(self._project.folder / tracked) != pair[self._wanted]

    @property
    def passed(self) -> set[str]:
        """Names of the step's files that stay as they are."""
        return {name for names in self._passed.values() for name in names}

    def put(self) -> Moved:
        """Put everything in place; the caller has the lock, and records what changes."""
        project, step, fields = self._project, self._step, self._step.fields
        changes_masks = any(self._changed.values())
        if step.files and not changes_masks and not fields:
            return Moved(step, [], passed=True)
        self.draft.put()
        if step.tracked and changes_masks:
            project.steps.note_restored()
        if fields:
            held = project.file.model_dump()
            sides = {name: (pair[self._expected], pair[self._wanted]) for name, pair in fields.items()}
            values = {name: restored(held.get(name), *pair) for name, pair in sides.items()}
            project.change(lambda file: set_values(file, _kept(project, file, values)))
        frames = sorted({index for index, changed in self._changed.items() if changed} | self._rows.keys())
        project.tell_frames(frames)
        return Moved(step, frames, passed=False)

    def _row(self, index: int, names: Collection[str], whole: Collection[str]) -> FrameResult:
        """Return a frame's result to bring back; the held one, if it is of a mask that stays.

        Areas and islands follow from the mask that is shown. To count them takes a while, so they are the step's where
        that mask is just what the step holds.

        Args:
            index: of the frame.
            names: of its files that are brought back.
            whole: those that show just what the step holds.
        """
        project, masks, pair = self._project, self.draft.masks, self._rows[index]
        held, before, after = project.results[index], result_of(pair[self._expected]), result_of(pair[self._wanted])
        tracked, mark = mask_name("masks", index), mask_name("marks", index)
        is_known = (held.reliability, held.calibrated) == (before.reliability, before.calibrated)
        is_same = tracked in names or (is_known and tracked not in self._step.files)
        known = after if is_same else held
        if (mark if index in masks.held.marks else tracked) in whole and not gone_at(project.file.absences, index):
            return replace(known, areas=after.areas, islands=after.islands)
        return known.counted(masks.read(index))


def overtaken() -> ConflictError:
    """Return the refusal to undo or redo where somebody came between."""
    return ConflictError("Somebody changed the project meanwhile.", "See what changed, then undo or redo again.")


def _next(history: History, back: bool) -> Step | None:
    return history.next_undo if back else history.next_redo


def _by_frame(names: Mapping[str, Any]) -> defaultdict[int, list[str]]:
    """Return names of files of masks by their frame."""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for name in names:
        found[index_of(name)].append(name)
    return found


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
