"""What a person did to a project, step by step, on disk: it can be undone after a reload, a restart and a kill.

    history/steps.jsonl      a line for each step, and one for each time that a step was undone or redone
    history/files/<digest>   what files held before and after steps; the same content is kept once

Lines are appended and flushed; one that was cut short is ignored. The contents of a step are written before its line.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from itertools import chain
from pathlib import Path
from typing import Any, NamedTuple

from cyclevos.app.projects.durable_files import saving
from cyclevos.app.projects.field_changes import Pair, can_join, joined
from cyclevos.app.projects.kept_contents import KeptContents
from cyclevos.app.projects.mask_names import is_mask_name, kind_of
from cyclevos.app.projects.packed_rows import PackedRows
from cyclevos.errors import CycleVOSError
from cyclevos.files.records import append_record, parse_record, whole_lines, write_records

logger = logging.getLogger(__name__)

MOST_STEPS = 500
MOST_BYTES = 256 * 2**20
_SPARE = 50  # steps above the bound until the oldest go, all at once


@dataclass(frozen=True)
class Step:
    """One step of a person.

    Attributes:
        id: counts up.
        title: what it did.
        time: seconds since 1970.
        frame: that it is about; None = the project as a whole.
        files: digests of files of masks before and after, by name in the project's folder; None = no file.
        rows: results of frames before and after, as JSON values.
        fields: what changed in values of project.json, before and after; see `field_changes`.
        under: digests of the tracked masks under marks that changed, before and after, by the marks' names; those that
            changed too are in `files` only. Steps of earlier versions have none.
        passed: names of files that tracking had replaced when the step was undone or redone. It leaves them alone from
            then on, even if they come to hold what they held then.
    """

    id: int
    title: str
    time: float
    frame: int | None = None
    files: Mapping[str, Pair] = field(default_factory=dict)
    rows: Mapping[int, Pair] | PackedRows = field(default_factory=dict)
    fields: Mapping[str, Pair] = field(default_factory=dict)
    under: Mapping[str, Pair] = field(default_factory=dict)
    passed: frozenset[str] = frozenset()

    @property
    def tracked(self) -> bool:
        """Whether it changed masks that tracking made."""
        return any(kind_of(name) != "marks" for name in self.files)


class Past(NamedTuple):
    """The steps that are kept, and how many of them are not undone; replaced, never changed: readers take no lock."""

    steps: tuple[Step, ...] = ()
    done: int = 0


class History(KeptContents):
    """The steps of a project: one thread at a time changes them, and any reads them or keeps contents meanwhile.

    Args:
        folder: the project's.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / "history")
        self._log = self._folder / "steps.jsonl"
        self.pinned: Callable[[], set[str]] = set  # contents that others need
        self._past = Past()
        for _, line in whole_lines(self._log):
            self._replay(parse_record(line) or {})
        self._last = max((step.id for step in self._past.steps), default=0)

    @property
    def steps(self) -> list[Step]:
        """All steps that are kept, in order; those that are undone come last."""
        return list(self._past.steps)

    @property
    def past(self) -> Past:
        """The same steps, and how many of them are not undone."""
        return self._past

    @property
    def next_undo(self) -> Step | None:
        """The step that would be undone."""
        past = self._past
        return past.steps[past.done - 1] if past.done else None

    @property
    def next_redo(self) -> Step | None:
        """The step that would be redone."""
        past = self._past
        return past.steps[past.done] if past.done < len(past.steps) else None

    def add(self, made: Step, amend: int | None = None) -> Step:
        """Add a step with a new id; what was undone can no longer be redone.

        Args:
            made: the step, whose contents are kept already.
            amend: id of the step that it becomes one with, if that is the last one.

        Raises:
            UnsavedError: it cannot be written.
        """
        last = self.next_undo
        if last is not None and last.id == amend and _can_join(last, made):
            step = _joined(last, made)
        else:
            step = replace(made, id=self._last + 1)
        self._append(_record(step))
        self._take(step)
        self._last = step.id
        self._prune()
        return step

    def note_undone(self, *, back: bool, passed: Iterable[str] = ()) -> None:
        """Remember that the next step was undone, or redone.

        Args:
            back: undone.
            passed: names of files that stayed as they were, because tracking has replaced them.

        Raises:
            UnsavedError: it cannot be written.
        """
        step, names = self.next_undo if back else self.next_redo, sorted(passed)
        if step is not None:
            self._append({"undone" if back else "redone": step.id, **({"passed": names} if names else {})})
            self._move(-1 if back else 1, names)

    def sweep(self) -> None:
        """Remove contents that nothing needs any more.

        Raises:
            UnsavedError: they cannot be removed.
        """
        self._remove_all_but(_names(self._past.steps) | self.pinned())

    def _append(self, record: Mapping[str, Any]) -> None:
        with saving(self._folder):
            self._folder.mkdir(exist_ok=True)
            append_record(self._log, record)

    def _take(self, step: Step) -> None:
        done = self._past.steps[: self._past.done]
        steps = (*(done[:-1] if done and done[-1].id == step.id else done), _packed(step))
        self._past = Past(steps, len(steps))

    def _move(self, by: int, passed: Iterable[str]) -> None:
        steps, done = self._past
        at = done if by > 0 else done - 1
        moved = replace(steps[at], passed=steps[at].passed.union(map(sys.intern, passed)))
        self._past = Past((*steps[:at], moved, *steps[at + 1 :]), done + by)

    def _replay(self, record: Mapping[str, Any]) -> None:
        """Read a line; one that says nothing is passed over."""
        undo, redo = self.next_undo, self.next_redo
        names = record.get("passed", ())
        passed = filter(is_mask_name, names if isinstance(names, list) else ())
        if undo is not None and record.get("undone") == undo.id:
            self._move(-1, passed)
        elif redo is not None and record.get("redone") == redo.id:
            self._move(1, passed)
        elif "title" in record:
            step = _step_of(record)
            if step is not None:
                self._take(step)

    def _prune(self) -> None:
        """Let the oldest steps go if there are too many, or if they hold too much."""
        steps, done = self._past
        drop = len(steps) - MOST_STEPS if len(steps) > MOST_STEPS + _SPARE else 0
        while self._bytes(steps[drop:]) > MOST_BYTES and drop < len(steps) - 1:
            drop += 1
        if not drop:
            return
        self._past = Past(steps[drop:], done - drop)
        undone = [{"undone": step.id} for step in reversed(self._past.steps[self._past.done :])]
        try:
            with saving(self._folder):
                write_records(self._log, chain(map(_record, self._past.steps), undone))
            self.sweep()
        except CycleVOSError as error:  # the step itself is kept: the next one tries again
            logger.warning("Old steps of the history could not be removed: %s", error)

    def _bytes(self, steps: Iterable[Step]) -> int:
        if sum([*self._sizes.values()]) <= MOST_BYTES:
            return 0
        return sum(self._sizes.get(name, 0) for name in _names(steps))


def _step_of(record: Mapping[str, Any]) -> Step | None:
    """Read a step; None where the line is none that this version writes."""
    try:
        rows = {int(index): tuple(pair) for index, pair in record["rows"].items()}
        held = {"under": {}, **record}
        pairs = {name: {key: tuple(pair) for key, pair in held[name].items()} for name in ("files", "fields", "under")}
        step = Step(**{**held, **pairs, "rows": rows, "passed": frozenset(held.get("passed", ()))})
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    whole = all(len(pair) == 2 for kept in (step.files, rows, step.fields, step.under) for pair in kept.values())
    digests = all(isinstance(name, str | None) for pair in step.files.values() for name in pair)
    return step if whole and digests and isinstance(step.id, int) and all(map(is_mask_name, step.files)) else None


def _names(steps: Iterable[Step]) -> set[str]:
    return {name for step in steps for pair in step.files.values() for name in pair if name}


def _joined(first: Step, second: Step) -> Step:
    """Return two steps as one, which has the id and title of the first."""

    def both(earlier: dict[Any, Pair], later: dict[Any, Pair]) -> dict[Any, Pair]:
        return {**earlier, **{key: (earlier.get(key, pair)[0], pair[1]) for key, pair in later.items()}}

    files, rows = both({**first.files}, {**second.files}), both(dict(first.rows.items()), dict(second.rows.items()))
    fields = {**first.fields, **second.fields}
    fields |= {name: joined(first.fields[name], second.fields[name]) for name in first.fields.keys() & second.fields}
    under = both({**first.under}, {**second.under})
    passed = first.passed.difference(second.files)
    return Step(first.id, first.title, second.time, first.frame, files, rows, fields, under, passed)


def _can_join(first: Step, second: Step) -> bool:
    return all(can_join(first.fields[name], second.fields[name]) for name in first.fields.keys() & second.fields)


def _record(step: Step) -> dict[str, Any]:
    held = {each.name: getattr(step, each.name) for each in fields(step)}
    rest = {"rows": dict(step.rows.items()), "passed": sorted(step.passed)}
    return {name: value for name, value in (held | rest).items() if value or name not in ("under", "passed")}


def _packed(step: Step) -> Step:
    """Return a step that takes little memory: one over a long video holds thousands of frames."""
    files, under = (
        {sys.intern(name): _interned(pair) for name, pair in kept.items()} for kept in (step.files, step.under)
    )
    return replace(step, files=files, under=under, rows=PackedRows(dict(step.rows.items())))


def _interned(pair: Pair) -> Pair:
    """Return digests that share memory with equal ones: the content after a step is that before the next."""
    before, after = (None if name is None else sys.intern(name) for name in pair)
    return before, after
