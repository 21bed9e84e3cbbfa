"""The clips of a data set: segmented in lock-step with one network that is loaded already, and recorded."""

from __future__ import annotations

import gc
import logging
import platform
import socket
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import torch

from cyclevos import __version__
from cyclevos.datasets.first_masks import first_masks, left_out
from cyclevos.exchange.given.given_masks import GivenMasks
from cyclevos.jobs.clip_attempt import ClipAttempt, PeakMemory
from cyclevos.jobs.clip_record import Clip, Record, clip_record, described, failed_record, has_ended, timestamp
from cyclevos.jobs.job import SegmentJob, resolve, settings_identity
from cyclevos.jobs.progress import OpenBar
from cyclevos.jobs.run_folder import RunFolder
from cyclevos.jobs.segment_job import SegmentRun
from cyclevos.media.image_folder import ImageFiles
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.propagation.reliability import Reliability
from cyclevos.propagation.together import ClipFrame, ClipRun, LockStep

__all__ = ["ClipRunner", "clips_at_once"]

logger = logging.getLogger(__name__)


class ClipRunner:
    """Segments clips with one network.

    Args:
        job: the settings; source and masks are replaced by those of each clip, and the output gets a folder of each.
        later: also follow objects that appear after the first annotated frame.
        worker: name of this process, for the record.
    """

    def __init__(self, job: SegmentJob, *, later: bool = False, worker: str = "") -> None:
        self._job, self._later, self._worker = job, later, worker
        self._network: MemoryNetwork = job.network.load()
        self._resolved = resolve(job, self._network)
        self.device = torch.device(self._resolved.network.device)
        self._memory = PeakMemory(self.device)

    def check(self, clips: Iterable[Clip]) -> None:
        """Look for results of other settings before anything is done.

        Raises:
            OtherRunError: the folder of a clip holds some, and they are not to be replaced.
        """
        identity = settings_identity(self._job, self._resolved)
        for clip in () if self._job.results.overwrite else clips:
            RunFolder(self._job.output / clip.sequence.name, identity).refuse_other_settings()

    def run_record(self) -> Record:
        """Return the record of a run's start: the command, versions, weights and settings."""
        job = self._job
        used = self._resolved.segmentation
        settings: dict[str, Any] = {
            "size": used.size,
            "memory_every": used.memory_every,
            "max_memory_frames": used.max_memory_frames,
            "correction": None if used.correction is None else asdict(used.correction),
            "adaptation": None if job.adaptation is None else asdict(job.adaptation),
            "later_objects": self._later,
        }
        return {
            "kind": "run",
            "time": timestamp(),
            "command": list(sys.argv),
            "versions": {"cyclevos": __version__, "torch": torch.__version__, "python": platform.python_version()},
            "weights": {"name": job.network.weights, "sha256": job.network.weights_sha256},
            "device": str(self.device),
            "dtype": self._resolved.network.dtype,
            "threads": torch.get_num_threads(),
            "settings": settings,
            "reliability": Reliability(self._network).record(),
            "host": socket.gethostname(),
        }

    def run(self, clip: Clip, open_bar: OpenBar | None = None) -> Record:
        """Segment one clip, or what is left of it, and return its record.

        Arguments and errors are those of :meth:`run_together`.
        """
        ((_, record),) = self.run_together([clip], 1, open_bar)
        return record

    def run_together(
        self, clips: Iterable[Clip], at_once: int, open_bar: OpenBar | None = None
    ) -> Generator[tuple[Clip, Record], None, None]:
        """Segment clips in lock-step, or what is left of them.

        A clip that fails ends alone. Whatever else ends the loop, every clip can be continued.

        Args:
            clips: the clips, begun in their order as there is room.
            at_once: maximum number of clips at a time, at least 1. Only their files are open.
            open_bar: opens the bar that shows the progress of a clip; None shows nothing.

        Yields:
            Each clip with its record as soon as it has ended.

        Raises:
            ConfigError, WeightsError, MissingExtraError, OtherRunError: the command is wrong. Any other error is
                recorded.
        """
        waiting, attempts = iter(clips), dict[ClipRun, ClipAttempt]()
        with closing(LockStep()) as together:
            try:
                while True:
                    yield from self._begin(waiting, at_once, open_bar, together, attempts)
                    if not attempts:
                        return
                    yield from self._round(together, attempts)
            except BaseException:
                with ExitStack() as leaving:
                    for attempt in attempts.values():
                        leaving.push(attempt.leave)
                    raise

    def _begin(
        self,
        waiting: Iterator[Clip],
        room: int,
        open_bar: OpenBar | None,
        together: LockStep,
        attempts: dict[ClipRun, ClipAttempt],
    ) -> Iterator[tuple[Clip, Record]]:
        """Begin waiting clips while there is room, and yield those that have ended with that."""
        while len(together) < room and (clip := next(waiting, None)) is not None:
            attempt = ClipAttempt(clip, partial(self._open, clip, open_bar), self._memory)
            run = attempt.begin()
            if run is None:
                yield clip, self._record(attempt)
            else:
                attempts[run] = attempt
                together.add(run)

    def _round(self, together: LockStep, attempts: dict[ClipRun, ClipAttempt]) -> Iterator[tuple[Clip, Record]]:
        """Segment and write one frame of every clip, and yield the clips that have ended."""
        for event in together.round():
            attempt = attempts[event.run]
            if isinstance(event, ClipFrame):
                attempt.take(event)
            else:
                attempt.end(event.error)
                del attempts[event.run]
                yield attempt.clip, self._record(attempt)

    def _open(self, clip: Clip, open_bar: OpenBar | None) -> SegmentRun:
        results = self._job.results
        masks = GivenMasks(first_masks(clip.sequence, later=self._later), () if self._later else _left_out(clip))
        job = replace(
            self._job,
            source=ImageFiles(clip.sequence.frames),
            masks=masks,
            output=self._job.output / clip.sequence.name,
            results=replace(results, quiet=results.quiet or open_bar is None),
            title=clip.title or clip.sequence.name,
        )
        return SegmentRun(job, self._network, open_bar)

    def _record(self, attempt: ClipAttempt) -> Record:
        clip, error = attempt.clip, attempt.error
        if error is None:
            return {**clip_record(clip, self._worker), "status": "done", **attempt.figures, "time": timestamp()}
        logger.info("%s failed:", clip.sequence.name, exc_info=error)
        record = failed_record(clip, described(error), self._worker)
        record["earlier_results"] = has_ended(self._job.output / clip.sequence.name)
        if self.device.type == "cuda":
            # The error holds on to the frames of the failed step, and those to its tensors.
            attempt.error = error = None
            gc.collect()
            torch.cuda.empty_cache()
        return record


def _left_out(clip: Clip) -> tuple[str, ...]:
    """Return a note of the objects that begin too late to be followed, and warn of them on the first attempt."""
    found = left_out(clip.sequence)
    if not found:
        return ()
    which = ", ".join(f"{object_id} (frame {name})" for object_id, name in found.items())
    objects, begin, are = ("object", "begins", "is") if len(found) == 1 else ("objects", "begin", "are")
    note = (
        f"Sequence {clip.sequence.name}: {objects} {which} {begin} after the first mask and {are} left out. "
        "--objects appearing follows later objects."
    )
    if clip.attempt == 1:
        logger.warning("%s", note)
    return (note,)


def clips_at_once(runner: ClipRunner) -> int:
    """Return how many clips run at a time: one on a CPU, on a GPU one for every 4 GB that are free, up to four."""
    if runner.device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(runner.device)
    return int(min(4, max(1, free // 4e9)))
