"""What a run of tracking is for: which frames, which object, and when it stops to ask."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from cyclevos.propagation.settings import Direction


@dataclass(frozen=True)
class TrackPlan:
    """One run.

    Attributes:
        direction: from each annotated frame to later frames, earlier ones, or both.
        first: the first frame to track; None = the video's.
        last: the last frame to track; None = the video's.
        object: the only object to track; None = all.
        doubtful: track only frames whose reliability is below this; None = all frames.
        until: stop when the reliability of an object falls below this; None = never.
        patience: frames in a row that it has to stay below.
        continued: an earlier run stopped; an object in doubt has to recover before the run stops for it again.
    """

    direction: Direction = "forward"
    first: int | None = None
    last: int | None = None
    object: int | None = None
    doubtful: float | None = None
    until: float | None = None
    patience: int = 3
    continued: bool = False

    def frames(self, count: int) -> tuple[int, int]:
        """Return the first and the last frame to track of a video of so many frames."""
        last = count - 1 if self.last is None else min(self.last, count - 1)
        return min(self.first or 0, last), last

    @property
    def title(self) -> str:
        """What the run does, for a person."""
        ways = {"forward": "Track forward", "backward": "Track backward", "both": "Track in both directions"}
        parts = [ways[self.direction] if self.doubtful is None else "Track where it is doubtful"]
        if self.object is not None:
            parts.append(f"object {self.object}")
        if (self.first, self.last) != (None, None):
            parts.append(f"from frame {self.first or 0}" + ("" if self.last is None else f" to {self.last}"))
        return ", ".join(parts)

    @property
    def is_partial(self) -> bool:
        """Whether the run is for some frames or for one object only."""
        return (self.first, self.last, self.object) != (None, None, None)


class Doubt(NamedTuple):
    """Why a run stopped: the first frame in doubt, the object and its reliability there."""

    frame: int
    object: int
    reliability: float


class DoubtWatch:
    """Says when a run has to stop.

    Args:
        plan: of the run.

    >>> watch = DoubtWatch(TrackPlan(until=0.5, patience=2))
    >>> [watch.see(index, {1: score}) for index, score in enumerate((0.9, 0.4, 0.3))][-1]
    Doubt(frame=1, object=1, reliability=0.4)
    """

    def __init__(self, plan: TrackPlan) -> None:
        self._plan = plan
        self._since: dict[int, list[Doubt]] = defaultdict(list)
        self._recovered: set[int] = set()

    def see(self, index: int, scores: Mapping[int, float]) -> Doubt | None:
        """Take a frame's reliability by object, nothing for an annotated frame; return why to stop, if at all."""
        if self._plan.until is None:
            return None
        for object_id in [i for i in self._since if i not in scores]:
            del self._since[object_id]
        for object_id, score in scores.items():
            if self._plan.object not in (None, object_id):
                continue
            if score >= self._plan.until:
                self._recovered.add(object_id)
                self._since.pop(object_id, None)
                continue
            self._since[object_id].append(Doubt(index, object_id, score))
            if len(self._since[object_id]) >= self._plan.patience and self._armed(object_id):
                return self._since[object_id][0]
        return None

    def _armed(self, object_id: int) -> bool:
        return not self._plan.continued or object_id in self._recovered


def stretches(indices: Iterable[int]) -> list[tuple[int, int]]:
    """Group frames into runs of neighbours, first and last of each.

    >>> stretches([7, 2, 3, 4])
    [(2, 4), (7, 7)]
    """
    found: list[tuple[int, int]] = []
    for index in sorted(indices):
        if found and found[-1][1] == index - 1:
            found[-1] = found[-1][0], index
        else:
            found.append((index, index))
    return found


def seeds(given: Collection[int], start: int, *, backward: bool) -> list[int]:
    """Return the annotated frames that a run which starts at a frame has behind it, in the order of the run.

    >>> seeds([0, 4, 9], 5, backward=False), seeds([0, 7, 9], 5, backward=True)
    ([0, 4], [9, 7])
    """
    behind = [index for index in given if (index > start if backward else index < start)]
    return sorted(behind, reverse=backward)
