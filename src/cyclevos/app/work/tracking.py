"""Tracking a project: the propagation loop, continued from the last valid snapshot, frame by frame into the project."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyclevos import __version__
from cyclevos.app.errors import AppError
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import Settings
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.projects.snapshots import Snapshots, digest
from cyclevos.app.work.jobs import CancelledError, Job
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.exchange.given.python_masks import check_masks
from cyclevos.files.atomic import output_errors
from cyclevos.geometry import grow_probabilities
from cyclevos.masks import probabilities_to_ids
from cyclevos.media.frames import Frame
from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.segment import make_propagator, segment_frames
from cyclevos.propagation.settings import Direction
from cyclevos.propagation.two_way import BackwardPass

Given = Mapping[int, NDArray[np.uint8]]


def track(project: Project, holder: NetworkHolder, direction: Direction, job: Job) -> dict[str, Any]:
    """Propagate the annotations through the video; frames of an earlier run that are still valid are not done again.

    Args:
        project: gets each frame's mask as soon as it is predicted.
        holder: of the network.
        direction: from each annotated frame to later frames, earlier ones, or both.
        job: takes the progress and says whether the run was cancelled.

    Returns:
        The number of frames segmented.

    Raises:
        AppError: no frame is annotated.
    """
    with project.lock:
        given, settings = project.masks.given(), project.file.settings
    if not any(mask.any() for mask in given.values()):
        raise AppError("No frame is marked yet.", "Paint an object on any frame first, then track.")
    given = {index: mask for index, mask in check_masks(given).items() if mask.any()}
    job.progress(0, None, "loading the network")
    network = holder.get()
    fresh = make_propagator(network, settings.segmentation(direction))
    run = _Run(project, fresh, given, _base(holder, fresh, settings, direction), job)
    if direction == "both":
        return {"frames": run.both()}
    return {"frames": run.one_way(backward=direction == "backward")}


class _Run:
    def __init__(self, project: Project, fresh: Propagator, given: Given, base: str, job: Job) -> None:
        self.project, self.fresh, self.given, self.base, self.job = project, fresh, given, base, job
        self.folder = project.folder / "state"
        _keep_only(self.folder, base)
        self.done = 0

    def one_way(self, *, backward: bool) -> int:
        """Run from the first annotated frame to the end, or from the last one to the beginning."""
        snapshots = Snapshots(self.folder / "one-way", self.base, self.given, backward=backward)
        begin = max(self.given) if backward else min(self.given)
        for frame, p in self._pass(snapshots, begin, backward=backward, note="tracking"):
            self._store(frame, p)
        return self.done

    def both(self) -> int:
        """Run backward, then forward, merging frame by frame; what the first pass kept is removed at the end."""
        everything = f"{self.base} {sorted((index, digest(mask)) for index, mask in self.given.items())}"
        kept, way_back = self.folder / "kept", self.folder / "backward"
        forward = Snapshots(self.folder / "forward", everything, self.given, backward=False)
        if self._ended(forward):
            return 0
        backward = Snapshots(way_back, everything, self.given, backward=True)
        with output_errors(kept):
            if backward.latest() is None:
                shutil.rmtree(kept, ignore_errors=True)  # it was made from other annotations
            kept.mkdir(parents=True, exist_ok=True)
        seen = BackwardPass(kept, self.given)
        for frame, p in self._pass(backward, max(self.given), backward=True, note="looking back, 1 of 2"):
            seen.keep(p)
            self._store(frame, p)
        for frame, p in self._pass(forward, 0, backward=False, note="tracking, 2 of 2"):
            self._store(frame, seen.merge(p))
        for folder in (kept, way_back):
            shutil.rmtree(folder, ignore_errors=True)
        return self.done

    def _ended(self, forward: Snapshots) -> bool:
        held = forward.latest()
        return held is not None and held[0] + 1 >= self.project.frames

    def _pass(
        self, snapshots: Snapshots, begin: int, *, backward: bool, note: str
    ) -> Iterator[tuple[Frame, Prediction]]:
        """Segment the frames that are left, saving snapshots, the last one wherever the pass ends."""
        propagator = self.fresh.fresh()
        held = snapshots.latest()
        if held is not None:
            propagator.restore(held[1])
            begin = held[0] + (-1 if backward else 1)
        frames = self.project.frames
        total = begin + 1 if backward else frames - begin
        if total <= 0:
            return
        self.job.progress(0, total, note)
        there = {"last": begin} if backward else {"start": begin}
        way: Direction = "backward" if backward else "forward"
        stream = segment_frames(propagator, self.project.source, self.given, way, **there)
        for count, (frame, p) in enumerate(stream, start=1):
            yield frame, p
            try:
                self.job.progress(count, total, note)
            except CancelledError:
                snapshots.save(frame.index, propagator.snapshot())
                raise
            if snapshots.due() or count == total:
                snapshots.save(frame.index, propagator.snapshot())

    def _store(self, frame: Frame, p: Prediction) -> None:
        before = None
        if p.uncorrected is not None:
            grown = grow_probabilities(p.uncorrected.float(), frame.size)
            before = probabilities_to_ids(grown, p.object_ids)
        scores = {} if p.annotated else dict(p.reliability)
        if self.project.hub.heard:
            self.project.reader.offer(frame)
        self.project.track_frame(p.index, p.ids, FrameResult(scores, calibrated=p.calibrated), before)
        self.done += 1


def _base(holder: NetworkHolder, fresh: Propagator, settings: Settings, direction: Direction) -> str:
    predictor = fresh.reliability.record()  # after a calibration, tracking again gives calibrated numbers
    return json.dumps([__version__, *holder.identity, predictor, settings.model_dump(), direction])


def _keep_only(folder: Path, base: str) -> None:
    """Remove the state of runs with other settings or another direction: their masks are overwritten."""
    key = hashlib.sha256(base.encode()).hexdigest()[:24]
    with output_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / key).exists():
            return
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / key).touch()
