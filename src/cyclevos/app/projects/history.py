"""What a person did to a project, step by step, on disk: it can be undone after a reload, a restart and a kill.

    history/steps.jsonl      a line for each step, and one for each time that a step was undone or redone
    history/files/<digest>   what files held before and after steps; the same content is kept once

Lines are appended and flushed; one that was cut short is ignored. The contents of a step are written before its line.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, TypeGuard

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.durable_files import saving, write_durably
from cyclevos.errors import CycleVOSError
from cyclevos.files.records import append_record, read_records, write_records

logger = logging.getLogger(__name__)

MOST_STEPS = 500
MOST_BYTES = 256 * 2**20
_SPARE = 50  # steps above the bound until the oldest go, all at once

_MASK_NAME = re.compile(r"(marks|masks|before)/\d+\.png", re.ASCII)

Pair = tuple[Any, Any]  # before and after


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
        fields: values of project.json before and after.
    """

    id: int
    title: str
    time: float
    frame: int | None = None
    files: Mapping[str, Pair] = field(default_factory=dict)
    rows: Mapping[int, Pair] = field(default_factory=dict)
    fields: Mapping[str, Pair] = field(default_factory=dict)

    @property
    def tracked(self) -> bool:
        """Whether it changed masks that tracking made."""
        return any(not name.startswith("marks/") for name in self.files)


class History:
    """The steps of a project; one thread at a time.

    Args:
        folder: the project's.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "history"
        self._log, self._files = self._folder / "steps.jsonl", self._folder / "files"
        self.pinned: Callable[[], set[str]] = set  # contents that others need
        self._steps: list[Step] = []
        self._done = 0  # how many of them are not undone
        records, _ = read_records(self._log)
        for record in records:
            self._replay(record)
        self._sizes = {path.name: path.stat().st_size for path in self._files.glob("*")}
        self._last = max((step.id for step in self._steps), default=0)

    @property
    def steps(self) -> list[Step]:
        """All steps that are kept, in order; those that are undone come last."""
        return list(self._steps)

    @property
    def next_undo(self) -> Step | None:
        """The step that would be undone."""
        return self._steps[self._done - 1] if self._done else None

    @property
    def next_redo(self) -> Step | None:
        """The step that would be redone."""
        return self._steps[self._done] if self._done < len(self._steps) else None

    def keep(self, data: bytes | None, *, flush: bool = True) -> str | None:
        """Keep the content of a file and return its digest; None for a file that is not there.

        Raises:
            UnsavedError: it cannot be written.
        """
        if data is None:
            return None
        name = digest(data)
        if name not in self._sizes:
            with saving(self._folder):
                self._folder.mkdir(exist_ok=True)
            write_durably(self._files / name, data, flush=flush)
            self._sizes[name] = len(data)
        return name

    def content(self, name: str | None) -> bytes | None:
        """Return what was kept.

        Raises:
            ConflictError: the file is gone or damaged.
        """
        if name is None:
            return None
        try:
            data = (self._files / name).read_bytes()
        except OSError:
            data = None
        if data is None or digest(data) != name:
            raise ConflictError(
                "This step cannot be undone or redone: a file of the project's history is gone or damaged.",
                "Put back the folder `history` of the project, or paint the frame anew.",
            )
        return data

    def add(self, made: Step, amend: int | None = None) -> Step:
        """Add a step with a new id; what was undone can no longer be redone.

        Args:
            made: the step, whose contents are kept already.
            amend: id of the step that it becomes one with, if that is the last one.

        Raises:
            UnsavedError: it cannot be written.
        """
        last = self.next_undo
        if last is not None and last.id == amend:
            step = _joined(last, made)
        else:
            step = replace(made, id=self._last + 1)
        self._append(_record(step))
        self._take(step)
        self._last = step.id
        self._prune()
        return step

    def note_undone(self, *, back: bool) -> None:
        """Remember that the next step was undone, or redone.

        Raises:
            UnsavedError: it cannot be written.
        """
        step = self.next_undo if back else self.next_redo
        if step is not None:
            self._append({"undone" if back else "redone": step.id})
            self._done += -1 if back else 1

    def sweep(self) -> None:
        """Remove contents that nothing needs any more.

        Raises:
            UnsavedError: they cannot be removed.
        """
        for name in self._sizes.keys() - _names(self._steps) - self.pinned():
            with saving(self._files):
                (self._files / name).unlink(missing_ok=True)
            del self._sizes[name]

    def _append(self, record: Mapping[str, Any]) -> None:
        with saving(self._folder):
            self._folder.mkdir(exist_ok=True)
            append_record(self._log, record)

    def _take(self, step: Step) -> None:
        del self._steps[self._done :]
        if self._steps and self._steps[-1].id == step.id:
            self._steps.pop()
        self._steps.append(step)
        self._done = len(self._steps)

    def _replay(self, record: Mapping[str, Any]) -> None:
        """Read a line; one that says nothing is passed over."""
        undo, redo = self.next_undo, self.next_redo
        if undo is not None and record.get("undone") == undo.id:
            self._done -= 1
        elif redo is not None and record.get("redone") == redo.id:
            self._done += 1
        elif "title" in record:
            step = _step_of(record)
            if step is not None:
                self._take(step)

    def _prune(self) -> None:
        """Let the oldest steps go if there are too many, or if they hold too much."""
        drop = len(self._steps) - MOST_STEPS if len(self._steps) > MOST_STEPS + _SPARE else 0
        while self._bytes(self._steps[drop:]) > MOST_BYTES and drop < len(self._steps) - 1:
            drop += 1
        if not drop:
            return
        self._steps, self._done = self._steps[drop:], self._done - drop
        undone = [{"undone": step.id} for step in reversed(self._steps[self._done :])]
        try:
            with saving(self._folder):
                write_records(self._log, [*map(_record, self._steps), *undone])
            self.sweep()
        except CycleVOSError as error:  # the step itself is kept: the next one tries again
            logger.warning("Old steps of the history could not be removed: %s", error)

    def _bytes(self, steps: Iterable[Step]) -> int:
        if sum(self._sizes.values()) <= MOST_BYTES:
            return 0
        return sum(self._sizes.get(name, 0) for name in _names(steps))


def digest(data: bytes) -> str:
    """Return the name under which a content is kept."""
    return hashlib.sha256(data).hexdigest()[:32]


def is_mask_name(name: Any) -> TypeGuard[str]:
    """Return whether this is the name of a file of masks in a project's folder, not one elsewhere."""
    return isinstance(name, str) and _MASK_NAME.fullmatch(name) is not None


def _step_of(record: Mapping[str, Any]) -> Step | None:
    """Read a step; None where the line is none that this version writes."""
    try:
        rows = {int(index): tuple(pair) for index, pair in record["rows"].items()}
        pairs = {name: {key: tuple(pair) for key, pair in record[name].items()} for name in ("files", "fields")}
        step = Step(**{**record, **pairs, "rows": rows})
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    whole = all(len(pair) == 2 for kept in (step.files, step.rows, step.fields) for pair in kept.values())
    return step if whole and isinstance(step.id, int) and all(map(is_mask_name, step.files)) else None


def _names(steps: Iterable[Step]) -> set[str]:
    return {name for step in steps for pair in step.files.values() for name in pair if name}


def _joined(first: Step, second: Step) -> Step:
    """Return two steps as one, which has the id and title of the first."""

    def both(name: str) -> dict[Any, Pair]:
        earlier, later = getattr(first, name), getattr(second, name)
        return {**earlier, **{key: (earlier.get(key, pair)[0], pair[1]) for key, pair in later.items()}}

    return Step(first.id, first.title, second.time, first.frame, both("files"), both("rows"), both("fields"))


def _record(step: Step) -> dict[str, Any]:
    return asdict(step)
