"""Which files of masks a project holds, as a table that is replaced at every change."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import NamedTuple

from cyclevos.app.projects.mask_names import Kind, masks_in
from cyclevos.app.projects.mask_pngs import Mark, read_mark


class Held(NamedTuple):
    """Which files there are: marks by frame index, and indices of tracked masks and of those before correction."""

    marks: Mapping[int, Mark]
    tracked: frozenset[int]
    before: frozenset[int]

    def of(self, kind: Kind) -> Collection[int]:
        """Return the frames with a file of a kind."""
        return {"marks": self.marks, "masks": self.tracked, "before": self.before}[kind]

    def with_file(self, kind: Kind, index: int, mark: Mark | None, *, there: bool) -> Held:
        """Return the same with a file that is there now, or not any more."""
        if kind == "marks":
            rest = {i: each for i, each in self.marks.items() if i != index}
            return self._replace(marks=rest if mark is None else {**rest, index: mark})
        held = self.tracked if kind == "masks" else self.before
        held = held | {index} if there else held - {index}
        return self._replace(tracked=held) if kind == "masks" else self._replace(before=held)


def look(folder: Path) -> Held:
    """Return which files of masks a project's folder holds.

    Raises:
        MaskError: a mark is broken.
    """
    marks = {index: read_mark(folder / name) for index, name in masks_in(folder, "marks")}
    tracked, before = masks_in(folder, "masks"), masks_in(folder, "before")
    return Held(marks, frozenset(index for index, _ in tracked), frozenset(index for index, _ in before))
