"""The result of evaluating a prompter: J after clicks and from boxes, of every object and on average.

All values of J are fractions, not percent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

AFTER = (1, 2, 3, 5, 10)
"""Numbers of clicks after which J is reported."""
TARGETS = (0.85, 0.90)
"""Values of J to which clicks are counted."""
SLACKS = (0.0, 0.1, 0.2)
"""Slacks of the boxes, as shares of the true box's sides; 0 = the true box."""
FEWEST_PIXELS = 64
"""Pixels of the smallest object that is scored."""
MOST_CLICKS = 20
"""Clicks at which the count to a target ends, as usual for interactive segmentation."""


@dataclass(frozen=True)
class PromptedObject:
    """What a prompter made of one object in one frame.

    Attributes:
        sequence: name of the sequence, or of the set of stills.
        frame: name of the frame.
        object_id: the object's number in the ground truth.
        pixels: of the object that count.
        curve: J after 1, 2, ... clicks; it ends where no further click can be made or is needed.
        start: J before the first click, of the box or mask that the clicks begin from; None = they begin from nothing.
        boxes: J from a box alone by its slack; empty = not measured.
    """

    sequence: str
    frame: str
    object_id: int
    pixels: int
    curve: tuple[float, ...]
    start: float | None = None
    boxes: Mapping[float, float] = field(default_factory=dict)

    def after(self, clicks: int) -> float:
        """Return J after a number of clicks from 1; behind the end of the curve, J stays as it is.

        >>> PromptedObject("bear", "00000", 1, 900, (0.5, 1.0)).after(3)
        1.0
        """
        known = self.curve or (1.0 if self.start is None else self.start,)
        return known[min(clicks, len(known)) - 1]

    def clicks_to(self, target: float, most: int = MOST_CLICKS) -> int:
        """Return after how many clicks J is first at least `target`: 0 if it begins there, `most` if it never is.

        >>> PromptedObject("bear", "00000", 1, 900, (0.5, 0.86, 0.8, 0.91)).clicks_to(0.85)
        2
        """
        return next((n for n, j in self._from_start() if j >= target), most)

    def misses(self, target: float) -> bool:
        """Return whether J is never at least `target`."""
        return all(j < target for _, j in self._from_start())

    def _from_start(self) -> list[tuple[int, float]]:
        return ([] if self.start is None else [(0, self.start)]) + list(enumerate(self.curve, start=1))


@dataclass(frozen=True)
class PromptSummary:
    """Means over objects.

    Attributes:
        count: number of objects.
        after: mean J by the number of clicks.
        clicks_to: mean number of clicks to a J (NoC), by that J.
        missed: number of objects that never have that J, by that J.
        start: mean J before the first click; None = the clicks begin from nothing.
        boxes: mean J from a box alone by its slack; empty = not measured.
    """

    count: int
    after: Mapping[int, float]
    clicks_to: Mapping[float, float]
    missed: Mapping[float, int]
    start: float | None
    boxes: Mapping[float, float]


@dataclass(frozen=True)
class PromptEvaluation:
    """Scores of a prompter on a data set.

    Attributes:
        dataset: the data set's name.
        prompter: the prompter's name.
        begun_from: what the clicks begin from: ``clicks`` (nothing), ``box`` or ``masks``.
        repair: each call gets the mask so far.
        most_clicks: at which clicking ends.
        frames: which frames were taken: ``first``, ``all`` or a number for each sequence.
        objects: in the data set's order.
        left_out: number of objects that were too small.
    """

    dataset: str
    prompter: str
    begun_from: str
    repair: bool
    most_clicks: int
    frames: str
    objects: tuple[PromptedObject, ...]
    left_out: int

    @property
    def overall(self) -> PromptSummary:
        """The means over all objects."""
        return self.summary(self.objects)

    @property
    def sequences(self) -> dict[str, list[PromptedObject]]:
        """Each sequence's objects by its name, in the data set's order."""
        found: dict[str, list[PromptedObject]] = {}
        for each in self.objects:
            found.setdefault(each.sequence, []).append(each)
        return found

    @property
    def reported(self) -> tuple[int, ...]:
        """Numbers of clicks after which J is reported: those of `AFTER` that were made."""
        return tuple(clicks for clicks in AFTER if clicks <= self.most_clicks)

    def summary(self, objects: Sequence[PromptedObject]) -> PromptSummary:
        """Return the means over some objects; there is at least one."""
        starts = [each.start for each in objects if each.start is not None]
        return PromptSummary(
            count=len(objects),
            after={n: _mean([each.after(n) for each in objects]) for n in self.reported},
            clicks_to={t: _mean([each.clicks_to(t, self.most_clicks) for each in objects]) for t in TARGETS},
            missed={t: sum(each.misses(t) for each in objects) for t in TARGETS},
            start=_mean(starts) if starts else None,
            boxes={slack: _mean([each.boxes[slack] for each in objects]) for slack in objects[0].boxes},
        )


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))
