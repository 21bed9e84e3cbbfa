"""Where objects are gone: ranges of frames that a person says an object is not in."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

MOST_ABSENCES = 2000
"""Ranges in one project."""

Gone = Callable[[int], Collection[int]]
"""Called with a frame's index, returns the objects that are not in the frame."""

ObjectId = Annotated[int, Field(strict=True, ge=1, le=255)]
FrameNumber = Annotated[int, Field(strict=True, ge=0, le=2**31)]


class Absence(BaseModel):
    """One range of frames that an object is not in, both ends included."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    object: ObjectId
    first: FrameNumber
    last: FrameNumber

    @model_validator(mode="after")
    def _in_order(self) -> Absence:
        if self.first > self.last:
            raise ValueError(f"expected first <= last, got {self.first} and {self.last}")
        return self


def gone_at(absences: Iterable[Absence], index: int) -> frozenset[int]:
    """Return the objects that are not in a frame.

    >>> sorted(gone_at([Absence(object=2, first=3, last=5), Absence(object=1, first=0, last=4)], 5))
    [2]
    """
    return frozenset(each.object for each in absences if each.first <= index <= each.last)


def with_absence(absences: Sequence[Absence], new: Absence) -> list[Absence]:
    """Add a range; ranges of one object that touch become one.

    >>> held = with_absence([Absence(object=1, first=0, last=4)], Absence(object=1, first=5, last=9))
    >>> [(each.first, each.last) for each in held]
    [(0, 9)]
    """
    first, last = new.first, new.last
    kept = []
    for each in absences:
        if each.object == new.object and each.first <= last + 1 and first <= each.last + 1:
            first, last = min(first, each.first), max(last, each.last)
        else:
            kept.append(each)
    return _sorted([*kept, Absence(object=new.object, first=first, last=last)])


def without_absence(absences: Sequence[Absence], object_id: int, first: int, last: int) -> list[Absence]:
    """End an object's absence in a range of frames; what reaches beyond it stays.

    >>> held = without_absence([Absence(object=1, first=0, last=9)], 1, 4, 5)
    >>> [(each.first, each.last) for each in held]
    [(0, 3), (6, 9)]
    """
    kept = []
    for each in absences:
        if each.object != object_id or each.last < first or last < each.first:
            kept.append(each)
            continue
        for a, b in ((each.first, first - 1), (last + 1, each.last)):
            if a <= b:
                kept.append(Absence(object=object_id, first=a, last=b))
    return _sorted(kept)


def without_objects(absences: Sequence[Absence], objects: Iterable[int], index: int) -> list[Absence]:
    """End the absence of some objects in a frame, which shows them."""
    for object_id in objects:
        absences = without_absence(absences, object_id, index, index)
    return list(absences)


def until_frame(absences: Iterable[Absence], index: int, *, backward: bool) -> list[tuple[int, int, int]]:
    """Return the ranges as far as a run has met them when it is at a frame: object, first and last frame of each.

    >>> until_frame([Absence(object=1, first=2, last=9), Absence(object=2, first=7, last=8)], 5, backward=False)
    [(1, 2, 5)]
    """
    if backward:
        return [(each.object, max(each.first, index), each.last) for each in absences if each.last >= index]
    return [(each.object, each.first, min(each.last, index)) for each in absences if each.first <= index]


def _sorted(absences: Iterable[Absence]) -> list[Absence]:
    return sorted(absences, key=lambda each: (each.object, each.first))
