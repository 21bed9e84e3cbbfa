"""How far the masks of a version are from those of today, frame by frame."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import numpy as np

from cyclevos.evaluation.agreement import overlaps
from cyclevos.pictures.arrays import UInt8Array

if TYPE_CHECKING:
    from cyclevos.app.projects.project import Project

PATIENCE = 0.25
"""Seconds after which an answer is given, with as many frames as are compared by then."""


def difference(project: Project, version_id: int, first: int = 0, last: int | None = None) -> dict[str, Any]:
    """Compare what frames showed before a tracking run with what they show now, one frame in memory at a time.

    Args:
        project: of the version.
        version_id: of the run.
        first: frame to begin with.
        last: frame to end with; None = the last that the run changed.

    Returns:
        ``frames``: by index, ``pixels`` that differ and, by object, the region similarity J of then and now, for the
        objects that either mask shows; ``next``: the frame to go on with, None if all are compared.

    Raises:
        NotFoundError: the version is not kept.
        ConflictError: a file of the history is damaged.
    """
    versions, end = project.steps.versions, time.monotonic() + PATIENCE
    with project.lock:
        wanted = [
            index for index in versions.find(version_id).frames if first <= index <= (index if last is None else last)
        ]
    compared: dict[int, dict[str, Any]] = {}
    for index in wanted:
        if compared and time.monotonic() > end:
            return {"frames": compared, "next": index}
        compared[index] = compare(versions.mask(version_id, index).ids, project.mask(index).ids)
    return {"frames": compared, "next": None}


def compare(then: UInt8Array, now: UInt8Array) -> dict[str, Any]:
    """Return how many pixels of two masks, uint8 (H,W), differ, and J of each object that either shows.

    >>> compare(np.array([[1, 1, 0]], np.uint8), np.array([[1, 0, 2]], np.uint8))
    {'pixels': 2, 'objects': {1: 0.5, 2: 0.0}}
    """
    intersections, unions = overlaps(then, now)
    shown = [int(i) for i in np.flatnonzero(unions) if i]
    similarity = {i: float(intersections[i] / unions[i]) for i in shown}
    return {"pixels": then.size - int(intersections.sum()), "objects": similarity}
