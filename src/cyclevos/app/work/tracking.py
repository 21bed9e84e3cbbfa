"""Tracking a project: the propagation loop, continued from the last valid snapshot, frame by frame into the project."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import Any

from cyclevos import __version__
from cyclevos.app.errors import AppError
from cyclevos.app.projects.absences import Absence, gone_at
from cyclevos.app.projects.annotations import Annotations
from cyclevos.app.projects.doubt import in_doubt, unjudged_frames
from cyclevos.app.projects.durable_files import saving
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import Settings
from cyclevos.app.projects.snapshots import Snapshots
from cyclevos.app.projects.unreadable import passed_over, unreadable_frames
from cyclevos.app.work.jobs import Job
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.app.work.project_network import network_of
from cyclevos.app.work.track_pass import Pass, Passes, State
from cyclevos.app.work.track_plan import Doubt, DoubtWatch, TrackPlan, seeds, stretches
from cyclevos.app.work.tracked_frames import TrackedFrames
from cyclevos.media.frames import Frame
from cyclevos.propagation.inner_size import sized
from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.segment import make_propagator
from cyclevos.propagation.settings import Direction
from cyclevos.propagation.two_way import BackwardPass


def track(project: Project, holder: NetworkHolder, plan: TrackPlan, job: Job) -> dict[str, Any]:
    """Propagate the annotations through the video; frames of an earlier run that are still valid are not done again.

    Args:
        project: gets each frame's mask as soon as it is predicted.
        holder: of the network.
        plan: which way, which frames and objects, and when to stop and ask.
        job: takes the progress and says whether the run was cancelled.

    Returns:
        ``frames``, the number of frames segmented; ``stopped`` with the frame, object and reliability, if an object was
        in doubt for too long; and ``passed``, a sentence, if frames could not be read.

    Raises:
        AppError: no frame is annotated, or none from which the run can reach its frames.
    """
    with project.lock:
        given, settings, absences = project.masks.given(), project.file.settings, tuple(project.file.absences)
    if not any(given.objects.values()):
        raise AppError("No frame is marked yet.", "Paint an object on any frame first, then track.")
    bad = unreadable_frames(project)
    given = given.showing(apart_from=bad)
    if not given:
        raise AppError("No marked frame can be read.", "Paint an object on a frame that can, then track.")
    job.progress(0, None, "loading the network")
    used = network_of(project, holder)
    network = used.network
    # One frame decides on the size, so that a mask that is added later leaves valid what was tracked before.
    first = max(given) if plan.direction == "backward" else min(given)
    segmentation, _ = sized(settings.segmentation(plan.direction), network.traits, {first: given[first]})
    fresh = make_propagator(network, segmentation)
    fresh.absent = lambda index: gone_at(absences, index)
    base = _base(used.identity, fresh, settings, plan.direction, bad)
    run = _Run(project, fresh, given, absences, plan, base, job, bad)
    frames = run.work()
    stopped = {} if run.stopped is None else {"stopped": run.stopped._asdict()}
    return {"frames": frames, **stopped, **passed_over(project, run.passes.passed)}


class _Run:
    def __init__(
        self,
        project: Project,
        fresh: Propagator,
        given: Annotations,
        absences: tuple[Absence, ...],
        plan: TrackPlan,
        base: str,
        job: Job,
        bad: Collection[int],
    ) -> None:
        self.project, self.fresh, self.given, self.absences = project, fresh, given, absences
        self.plan, self.base, self.job = plan, base, job
        self.bad = bad
        self.folder = project.state_folder
        self.frames, self.watch = TrackedFrames(project, plan.object), DoubtWatch(plan)
        self.passes = Passes(project, fresh, job, bad)
        self.stopped: Doubt | None = None

    def work(self) -> int:
        """Do the run, and return the number of frames stored."""
        if self.plan.doubtful is not None:
            self.doubtful(self.plan.doubtful)
        elif self.plan.direction != "both":
            self.one_way(backward=self.plan.direction == "backward")
        elif self.plan.is_partial:
            first, last = self.plan.frames(self.project.frames)
            merged = self._merged().latest()
            if self.plan.object is not None or not _not_before(merged, self._readable(last, -1), backward=False):
                self.from_both_sides(first, last, self.given, (0, 1))
        else:
            self.both()
        return len(self.frames.stored)

    def one_way(self, *, backward: bool) -> None:
        """Run from the first annotated frame to the end, or from the last one to the beginning, or over the range.

        If an earlier run with the same annotations came as far as the range, the memory is what it was then. If not, it
        begins with the annotated frames before the range.
        """
        _keep_only(self.folder, self.base)
        start, end, known = self._reach(backward)
        whole = self._snapshots("one-way", self.base, backward)
        held = whole.latest(end)
        step = -1 if backward else 1
        before = self._readable(start - step, -step)
        on_the_way = start == known or _not_before(held, before, backward) or whole.reached(before)
        store = whole
        if not on_the_way or self.plan.object is not None:
            store = self._snapshots("partial", f"{self.base} {start} {on_the_way} {self.plan.object}", backward)
            earlier = whole.latest(before) if on_the_way else None
            held = store.latest(end) or earlier
        note = "tracking"
        if on_the_way:
            way = Pass(start, end, backward, note, self.given, begin=known)
        else:
            way = Pass(start, end, backward, note, self.given, seeds(self.given, start, backward=backward))
        for frame, p in self.passes.run(way, store, held):
            self._store(frame, p)
            self._check(p)

    def both(self) -> None:
        """Run backward, then forward, merging frame by frame; what the first pass kept is removed at the end."""
        _keep_only(self.folder, self.base)
        kept, way_back = self.folder / "kept", self.folder / "backward"
        last = self.project.frames - 1
        forward = self._merged()
        merged = forward.latest()
        if _not_before(merged, self._readable(last, -1), backward=False):
            return
        backward = self._snapshots("backward", self._everything(), backward=True)
        held = backward.latest()
        with saving(kept):
            if held is None:
                shutil.rmtree(kept, ignore_errors=True)  # it was made from other annotations
            kept.mkdir(exist_ok=True)
        seen = BackwardPass(kept, self.given)
        way = Pass(max(self.given), 0, True, "looking back, 1 of 2", self.given)
        for frame, p in self.passes.run(way, backward, held):
            seen.keep(p)
            self._store(frame, p)
        for frame, p in self.passes.run(Pass(0, last, False, "tracking, 2 of 2", self.given), forward, merged):
            self._store(frame, seen.merge(p))
            self._check(p)
        if self.stopped is not None:
            return
        for folder in (kept, way_back):
            shutil.rmtree(folder, ignore_errors=True)

    def from_both_sides(self, first: int, last: int, given: Annotations, part: tuple[int, int]) -> None:
        """Run backward and forward over some frames, merged; the memory begins with what is given on either side.

        Args:
            first: of the frames.
            last: of the frames.
            given: annotations, and other masks that are to be trusted.
            part: which of how many such runs this is.
        """
        of = f", part {part[0] + 1} of {part[1]}" if part[1] > 1 else ""
        ways = [
            Pass(last, first, True, f"looking back{of}", given, seeds(given, last, backward=True)),
            Pass(first, last, False, f"tracking{of}", given, seeds(given, first, backward=False)),
        ]
        if not self._shown_in(given):
            raise _out_of_reach("both")
        with tempfile.TemporaryDirectory(prefix="cyclevos-") as folder:
            seen = BackwardPass(Path(folder), given)
            for _, p in self.passes.run(ways[0]):
                seen.keep(p)
            for frame, p in self.passes.run(ways[1]):
                merged = seen.merge(p)
                self._store(frame, merged)
                self._check(merged)

    def doubtful(self, threshold: float) -> None:
        """Track runs of frames in doubt again, from the frames beside them, which are good or annotated."""
        known = [(index, row.reliability) for index, row in unjudged_frames(self.project)]
        doubted = frozenset(in_doubt(known, threshold, self.plan.object))
        first, last = self.plan.frames(self.project.frames)
        parts = stretches(index for index in doubted if first <= index <= last and index not in self.bad)
        for number, (start, end) in enumerate(parts):
            beside = {}
            for index in (start - 1, end + 1):
                with self.project.lock:
                    mask = self.project.masks.read(index) if 0 <= index < self.project.frames else None
                if mask is not None and mask.ids.any() and index not in doubted and index not in self.bad:
                    beside[index] = mask.ids
            self.from_both_sides(start, end, self.given.beside(beside), (number, len(parts)))
            if self.stopped is not None:
                return

    def _reach(self, backward: bool) -> tuple[int, int, int]:
        """Return the first and the last frame to store and the first annotated one, in the order of the pass."""
        first, last = self.plan.frames(self.project.frames)
        own = self._shown_in(self.given)
        if not any(index >= first if backward else index <= last for index in own):
            raise _out_of_reach("backward" if backward else "forward")
        if backward:
            return min(last, max(own)), first, max(self.given)
        return max(first, min(own)), last, min(self.given)

    def _readable(self, index: int, step: int) -> int:
        """Return the first frame from one on, in steps, that can be read, or the one past the end."""
        while index in self.bad:
            index += step
        return index

    def _shown_in(self, given: Annotations) -> list[int]:
        """Return the frames whose masks show what is tracked."""
        asked = self.plan.object
        return [index for index, objects in given.objects.items() if asked in (None, *objects)]

    def _everything(self) -> str:
        """Return what a run in both directions follows from: all annotations, as a frame knows those behind it too."""
        gone = [each.model_dump() for each in self.absences]
        return f"{self.base} {sorted(self.given.digests.items())} {gone}"

    def _merged(self) -> Snapshots:
        """Return the snapshots of the pass that merges both directions."""
        return self._snapshots("forward", self._everything(), backward=False)

    def _snapshots(self, name: str, base: str, backward: bool) -> Snapshots:
        return Snapshots(self.folder / name, base, self.given.digests, backward=backward, absences=self.absences)

    def _store(self, frame: Frame, p: Prediction) -> None:
        self.frames.store(frame, p)

    def _check(self, p: Prediction) -> None:
        """Stop where an object has been in doubt for too long."""
        gone = gone_at(self.absences, p.index)
        scores = {} if p.annotated else {i: score for i, score in p.reliability.items() if i not in gone}
        self.stopped = self.watch.see(p.index, scores)
        self.passes.stopped = self.stopped is not None


def _not_before(held: State | None, index: int, backward: bool) -> bool:
    return held is not None and (held[0] <= index if backward else held[0] >= index)


def _out_of_reach(direction: Direction) -> AppError:
    where = {"forward": "in or before", "backward": "in or after", "both": "for"}[direction]
    return AppError(
        f"No annotation reaches these frames: nothing is marked {where} them.",
        "Mark the object there, change the range, or track in the other direction.",
    )


def _base(
    identity: Collection[str], fresh: Propagator, settings: Settings, direction: Direction, bad: Collection[int]
) -> str:
    predictor = fresh.reliability.record()  # after a calibration, tracking again gives calibrated numbers
    passed = [sorted(bad)] if bad else []
    used = settings.model_dump() | {"size": fresh.size}
    return json.dumps([__version__, *identity, predictor, used, direction, *passed])


def _keep_only(folder: Path, base: str) -> None:
    """Remove the state of runs with other settings or another direction: their masks are overwritten."""
    key = hashlib.sha256(base.encode()).hexdigest()[:24]
    with saving(folder):
        folder.mkdir(exist_ok=True)
        if (folder / key).exists():
            return
        shutil.rmtree(folder)
        folder.mkdir()
        (folder / key).touch()
