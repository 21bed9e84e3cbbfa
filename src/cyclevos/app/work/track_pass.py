"""One way through some frames of a project: what the memory begins with, the frames, and the snapshots on the way."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.app.projects.project import Project
from cyclevos.app.projects.snapshots import Snapshots
from cyclevos.app.work.jobs import CancelledError, Job
from cyclevos.media.frames import Frame
from cyclevos.propagation.frame_access import image_at
from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.segment import segment_frames
from cyclevos.propagation.settings import Direction

Given = Mapping[int, NDArray[np.uint8]]
State = tuple[int, dict[str, Tensor]]
"""A frame, and the propagator's memory after it."""


@dataclass(frozen=True)
class Pass:
    """One way through some frames.

    Attributes:
        start: the first frame to store, in the order of the pass.
        end: the last one.
        backward: whether the pass goes to earlier frames.
        note: for the person who waits.
        given: masks by frame index that the pass takes as they are.
        seeds: frames with such masks that the memory begins with, in order.
        begin: the frame to begin with, where frames before `start` only lead to it; None = `start`.
    """

    start: int
    end: int
    backward: bool
    note: str
    given: Given
    seeds: Sequence[int] = ()
    begin: int | None = None

    def is_early(self, index: int) -> bool:
        """Whether a frame only leads to the ones that are stored."""
        return index > self.start if self.backward else index < self.start


class Passes:
    """Runs passes, one after the other.

    Args:
        project: whose frames are segmented.
        fresh: a propagator without memory.
        job: takes the progress and says whether the run was cancelled.
        bad: frames that cannot be read.

    Attributes:
        stopped: set by whoever takes the frames, to end the pass after the present one.
        passed: frames that cannot be read and were passed over; the memory goes on behind them.
    """

    def __init__(self, project: Project, fresh: Propagator, job: Job, bad: Collection[int]) -> None:
        self._project, self._fresh, self._job, self._bad = project, fresh, job, bad
        self.stopped = False
        self.passed: set[int] = set()

    def run(
        self, way: Pass, snapshots: Snapshots | None = None, held: State | None = None
    ) -> Iterator[tuple[Frame, Prediction]]:
        """Segment the frames that are left, saving snapshots, the last one wherever the pass ends.

        Args:
            way: the pass.
            snapshots: take what is saved; None = nothing is.
            held: the memory to continue with, instead of what the pass begins with.
        """
        propagator = self._fresh.fresh()
        step = -1 if way.backward else 1
        begin = way.start if way.begin is None else way.begin
        if held is not None:
            propagator.restore(held[1])
            begin = held[0] + step
        ahead = range(begin, way.end + step, step)
        left = [index for index in ahead if index not in self._bad]
        total = len(left)
        self.passed |= {index for index in ahead if index in self._bad and not way.is_early(index)}
        if not left:
            return
        self._job.progress(0, total, way.note)
        if held is None:
            self._remember(propagator, way)
        direction: Direction = "backward" if way.backward else "forward"
        there = {"last": begin} if way.backward else {"start": begin}
        stream = segment_frames(propagator, self._project.source, way.given, direction, **there)
        for count, (frame, p) in enumerate(stream, start=1):
            early = way.is_early(frame.index)
            if not early:
                yield frame, p
            ends = frame.index == left[-1] or self.stopped
            try:
                self._job.progress(count, total, "catching up" if early else way.note)
            except CancelledError:
                ends = True
                raise
            finally:
                if snapshots is not None and not early and (snapshots.due() or ends):
                    snapshots.save(frame.index, propagator.snapshot())
            if ends:
                return

    def _remember(self, propagator: Propagator, way: Pass) -> None:
        for index in way.seeds:
            self._job.check()
            image = image_at(self._project.source, index)
            if image is not None:
                propagator.advance(index, image, way.given[index])
