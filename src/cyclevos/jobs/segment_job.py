"""One segmentation job: from checked inputs to written results, resumable after a kill."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from cyclevos.errors import ConfigError, OutputError, VideoError
from cyclevos.exchange.format import Destination
from cyclevos.exchange.given_masks import read_reaching_masks
from cyclevos.jobs.job import CONTENT, Resolved, SegmentJob, content_identity, resolve, settings_identity
from cyclevos.jobs.progress import OpenBar, progress_bar
from cyclevos.jobs.results import Results, made_from_masks, result_names
from cyclevos.jobs.review import REPORTS, is_reported, report_reliability
from cyclevos.jobs.run_folder import Identity, RunFolder
from cyclevos.media.appearance import Appearance
from cyclevos.media.open_source import open_source
from cyclevos.media.reliability_files import RELIABILITY_FILE
from cyclevos.media.sources import FrameSource
from cyclevos.network.stm import SpaceTimeMemoryNetwork
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.propagation.propagator import Prediction, Propagator
from cyclevos.propagation.segment import check_masks, make_propagator, segment_frames

__all__ = ["JobResult", "SegmentJob", "run_job"]

_SECONDS_BETWEEN_STATES = 10.0
_Item = TypeVar("_Item")
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class JobResult:
    """What a job did.

    Attributes:
        frames: frames in the video.
        segmented: frames segmented by this run; the others were finished before.
        object_ids: ids seen.
        seconds: that the network took for each of them, reading and writing left out.
    """

    frames: int
    segmented: int
    object_ids: tuple[int, ...] = field(default_factory=tuple)
    seconds: tuple[float, ...] = ()


class _Timed(Propagator):
    """Keeps how long each frame took; its masks are on the CPU, so the device has finished them."""

    def __init__(self, propagator: Propagator, seconds: list[float]) -> None:
        super().__init__(
            propagator.network, propagator.size, propagator.policy, propagator.correction, propagator.disturb
        )
        self.seconds = seconds

    def fresh(self) -> _Timed:
        return _Timed(self, self.seconds)

    def step(self, index: int, image: NDArray[np.uint8], annotation: NDArray[np.uint8] | None = None) -> Prediction:
        start = time.perf_counter()
        prediction = super().step(index, image, annotation)
        self.seconds.append(time.perf_counter() - start)
        return prediction


def run_job(
    job: SegmentJob, network: SpaceTimeMemoryNetwork | None = None, open_bar: OpenBar | None = None
) -> JobResult:
    """Run a job, or what is left of it.

    Args:
        job: the job.
        network: loaded already from the job's settings; None loads it.
        open_bar: opens the bar that shows the progress; None shows a bar of its own.

    Raises:
        CycleVOSError: something is wrong with the input; results written before stay.
    """
    _check_save(job)
    source = job.source if isinstance(job.source, FrameSource) else open_source(job.source)
    if job.output.resolve() == source.path.resolve():
        raise OutputError(f"{job.output} holds the frames themselves.", "Choose another folder for the results.")
    images = (
        job.masks
        if isinstance(job.masks, Mapping)
        else read_reaching_masks(job.masks, source, job.segmentation.direction, job.reading)
    )
    masks = check_masks({index: image.ids for index, image in images.items()})
    run = _Run(job, source, images, masks, resolve(job, network), open_bar)
    with run.folder.sole_writer():
        return run.execute(network)


class _Run:
    """One job at work in its folder."""

    def __init__(
        self,
        job: SegmentJob,
        source: FrameSource,
        images: Mapping[int, MaskImage],
        masks: Mapping[int, NDArray[np.uint8]],
        resolved: Resolved,
        open_bar: OpenBar | None,
    ) -> None:
        self.job, self.source, self.images, self.masks, self.resolved = job, source, images, masks, resolved
        self.open_bar = open_bar or partial(progress_bar, unit="frames", quiet=job.results.quiet)
        self.appearance = Appearance(next((i.palette for i in images.values() if i.palette is not None), None))
        self.direction = job.segmentation.direction
        settings = settings_identity(job, resolved)
        self.folder = RunFolder(
            job.output,
            Identity({**content_identity(source, masks), **settings.values}, settings.automatic),
            results=[*result_names(job.results.save), RELIABILITY_FILE],
            reports=[name for name in REPORTS if name != RELIABILITY_FILE],
            overwrite=job.results.overwrite,
            extra={"device": resolved.network.device},
        )

    def execute(self, network: SpaceTimeMemoryNetwork | None) -> JobResult:
        """Do what is left of the job; the folder is reserved for it meanwhile."""
        job = self.job
        # The folder comes before the network: a refusal should not wait for it.
        standing = self.folder.look()
        count = self.folder.whole(standing, self.source, masks="masks" in job.results.save)
        if count is not None:
            if not is_reported(job.output, job.results.review):
                self._report()
            self.folder.finish(count)
            return JobResult(count, 0, tuple(sorted({i for m in self.images.values() for i in m.object_ids})))
        network = self._network(network, str(standing.signature["dtype"]))
        fresh = _Timed(make_propagator(network, self.resolved.segmentation), [])
        finished = standing.finished if self.direction == "forward" else frozenset()
        propagator, start = self.folder.state.restore(fresh.fresh, self.source, finished)
        try:
            return self._segment(propagator, start)
        except VideoError:
            self.folder.allow_change(CONTENT)  # the user is asked to repair it, and continues then
            raise

    def _network(self, network: SpaceTimeMemoryNetwork | None, dtype: str) -> SpaceTimeMemoryNetwork:
        """Return the network in the dtype that the run began with, which need not be what ``auto`` stands for here."""
        if dtype != self.resolved.network.dtype:
            logger.warning("%s: continuing in %s, in which this run began", self.job.output, dtype)
            network = None
        return network or replace(self.resolved.network, dtype=dtype).load()

    def _segment(self, propagator: _Timed, start: int) -> JobResult:
        total, count, saved = self.source.len_hint, 0, time.monotonic()
        objects = set(propagator.objects)
        with self.open_bar(self.job.title, total) as advance:
            stream = segment_frames(propagator, self.source, self.masks, self.direction, start)
            predictions = _begun(stream)
            # A first mask is there, so nothing is wrong with the inputs: only now may earlier results be removed.
            self.folder.begin()
            results = self._results(resumed=start > 0)
            with results:
                for frame, p in predictions:
                    after: Callable[[], None] | None = None
                    if self.direction == "forward" and time.monotonic() - saved > _SECONDS_BETWEEN_STATES:
                        after, saved = self.folder.state.save(propagator, p.index), time.monotonic()
                    results.write(frame, p, after)
                    count += 1
                    objects.update(p.object_ids)
                    advance(start + count, "")
        results.finish(self.source)
        self._report()
        self.folder.finish(start + count)
        return JobResult(start + count, count, tuple(sorted(objects)), tuple(propagator.seconds))

    def _results(self, *, resumed: bool) -> Results:
        output, source = self.job.output, self.source
        run = Destination(output, output.name, source.name, self.appearance, source.frame_rate, resume=resumed)
        return Results(run, self.job.results.save, late=resumed or self.direction == "backward")

    def _report(self) -> None:
        report_reliability(self.job.output, self.source, self.job.results.review, self.appearance)


def _begun(items: Iterator[_Item]) -> Iterator[_Item]:
    """Compute the first item now, and return an iterator over the same items."""
    first = list(islice(items, 1))
    return chain(first, items)


def _check_save(job: SegmentJob) -> None:
    """Refuse results that are made from masks which are not saved."""
    save = job.results.save
    if "masks" in save:
        return
    if job.segmentation.direction == "backward" and "overlay" in save:
        raise ConfigError("The overlay of a backward run is made from its masks.", "To save it, add masks to --save.")
    exported = made_from_masks(save)
    if exported:
        raise ConfigError(
            f"These results are made from the masks at the end: {', '.join(exported)}.", "Add masks to --save."
        )
