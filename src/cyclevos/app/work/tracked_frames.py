"""What tracking makes of a frame, on its way into the project: all of it, or one object's part."""

from __future__ import annotations

import numpy as np

from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.geometry import grow_probabilities
from cyclevos.masks import probabilities_to_ids
from cyclevos.media.frames import Frame
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.propagation.prediction import Prediction

# Shapes: H W pixels of the frame.


class TrackedFrames:
    """Stores predictions as a project's tracked masks.

    Args:
        project: gets them.
        only: the one object that is stored; the others keep every pixel they have. None = all.

    Attributes:
        stored: indices of the frames stored; a pass that goes over a frame again does not count it again.
    """

    def __init__(self, project: Project, only: int | None = None) -> None:
        self._project, self._only = project, only
        self.stored: set[int] = set()

    def store(self, frame: Frame, p: Prediction) -> None:
        """Store the prediction of a frame."""
        before = None
        if p.uncorrected is not None:
            grown = grow_probabilities(p.uncorrected.float(), frame.size)
            before = probabilities_to_ids(grown, p.object_ids)
        result = FrameResult({} if p.annotated else dict(p.reliability), calibrated=p.calibrated)
        project = self._project
        if project.hub.heard:
            project.reader.offer(frame)
        with project.lock:
            ids = p.ids
            if self._only is not None:
                ids, before, result = self._merged(p.index, ids, before, result, self._only)
            project.track_frame(p.index, ids, result, before)
        self.stored.add(p.index)

    def _merged(
        self, index: int, ids: UInt8Array, before: UInt8Array | None, result: FrameResult, only: int
    ) -> tuple[UInt8Array, UInt8Array | None, FrameResult]:
        """Return a frame's tracked mask, that before its correction, and its result, with one object exchanged."""
        held = self._project.masks.read_tracked(index)
        base = np.zeros_like(ids) if held is None else held
        known = self._project.results[index].reliability
        scores = {i: score for i, score in known.items() if i != only}
        scores |= {i: score for i, score in result.reliability.items() if i == only}
        former = None if before is None else with_object(base, before, only)
        whole = self._project.masks.with_absent(index, with_object(base, ids, only))
        return whole, former, FrameResult(scores, calibrated=result.calibrated)


def with_object(base: UInt8Array, ids: UInt8Array, object_id: int) -> UInt8Array:
    """Return a mask with one object's pixels from another mask, where no other object has them.

    Args:
        base: uint8 (H,W).
        ids: the mask that shows the object as it is to be, uint8 (H,W).
        object_id: of the object.

    >>> with_object(np.array([[1, 2, 0]], np.uint8), np.array([[0, 1, 1]], np.uint8), 1)
    array([[0, 2, 1]], dtype=uint8)
    """
    rest = np.where(base == object_id, 0, base)
    return np.where((ids == object_id) & (rest == 0), object_id, rest).astype(np.uint8)
