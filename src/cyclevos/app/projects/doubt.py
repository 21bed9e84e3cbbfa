"""Frames in doubt: nobody has judged them, and an object in them is not reliable. Which of them to review first."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from cyclevos.app.projects.absent_objects import known_results
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.projects.unreadable import unreadable_frames
from cyclevos.media.review import spread_choice

if TYPE_CHECKING:
    from cyclevos.app.projects.project import Project

GOOD = 0.85
"""Predicted J from which a mask is good; pages learn it from the server."""

_REVIEWED = 10

T = TypeVar("T")


def unjudged(
    known: Iterable[tuple[int, T]], tracked: Collection[int], marks: Collection[int], bad: Collection[int]
) -> list[tuple[int, T]]:
    """Return what is known of the frames that were tracked, that a person did not mark, and that can be read."""
    return [(index, row) for index, row in known if index in tracked and index not in marks and index not in bad]


def unjudged_frames(project: Project) -> list[tuple[int, FrameResult]]:
    """Return the results of an open project's frames that nobody has judged."""
    masks = project.masks
    return unjudged(known_results(project), masks.tracked, masks.marks, unreadable_frames(project))


def in_doubt(
    known: Iterable[tuple[int, Mapping[int, float]]], threshold: float = GOOD, only: int | None = None
) -> list[int]:
    """Return the frames in which an object is less reliable than a threshold.

    Args:
        known: reliability of each object, by the frames' indices.
        threshold: of the reliability.
        only: the one object that counts; None = all.

    >>> in_doubt([(3, {1: 0.9}), (7, {1: 0.9, 2: 0.4})])
    [7]
    """
    return [
        index for index, scores in known if any(score < threshold for i, score in scores.items() if only in (None, i))
    ]


def review_list(project: Project) -> list[dict[str, Any]]:
    """Return the frames to review, least reliable first and no two neighbours; the worst alone where all are good."""
    rows = [
        (index, *min(result.reliability.items(), key=lambda item: item[1]), result.calibrated)
        for index, result in unjudged_frames(project)
        if result.reliability
    ]
    rows = [row for row in rows if row[2] < GOOD] or sorted(rows, key=lambda row: row[2])[:1]
    numbers = [row[0] for row in rows]
    chosen = spread_choice([1 - row[2] for row in rows], _REVIEWED, frames=numbers, apart=1)
    return [dict(zip(("frame", "object", "reliability", "calibrated"), rows[k], strict=True)) for k in chosen]
