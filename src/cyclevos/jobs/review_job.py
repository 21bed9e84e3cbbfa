"""A review of masks that others made: the reports of a segmentation job about masks that it did not predict."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cyclevos.errors import ConfigError, OutputError
from cyclevos.exchange.given.given_masks import GivenMasks, read_source_masks
from cyclevos.jobs.job import SegmentJob
from cyclevos.jobs.progress import OpenBar
from cyclevos.jobs.segment_job import JobResult, SegmentRun, work_off
from cyclevos.jobs.starting_masks import Started
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.reviewing import Reviewer, make_reviewer, reference_frame
from cyclevos.propagation.segment import Masks
from cyclevos.propagation.together import ClipRun
from cyclevos.words import counted

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ReviewJob(SegmentJob):
    """What is reviewed; `masks` are those of all frames.

    Attributes:
        first: index of the frame whose mask is right, which the others are held against; None = the first one with
            an object.
    """

    first: int | None = None


def run_review(job: ReviewJob, network: MemoryNetwork | None = None, open_bar: OpenBar | None = None) -> JobResult:
    """Review masks, or those that are left.

    Args:
        job: the job.
        network: see :func:`~cyclevos.jobs.segment_job.run_job`.
        open_bar: see there.

    Raises:
        CycleVOSError: something is wrong with the input; results written before stay.
    """
    return work_off(_ReviewRun(job, network, open_bar))


class _ReviewRun(SegmentRun):
    """A run whose frames get the masks that they were given."""

    def __init__(self, job: ReviewJob, network: MemoryNetwork | None, open_bar: OpenBar | None) -> None:
        if isinstance(job.masks, Path):
            _check_output(job.masks, job.output)
        if job.segmentation.direction != "forward":
            raise ConfigError(
                f"A review goes forward, and the direction is {job.segmentation.direction!r}.",
                "Leave the direction out.",
            )
        self._wanted = job.first
        self._first = 0
        super().__init__(job, network, open_bar)

    def _read(self) -> Mapping[int, MaskImage]:
        job, source = self.job, self.source
        given = read_source_masks(job.masks, source, job.reading) if isinstance(job.masks, Path) else job.masks
        self._first = reference_frame({index: image.ids for index, image in given.items()}, self._wanted)
        without = 0 if source.len_hint is None else source.len_hint - len(given)
        if without <= 0:
            return given
        note = f"{counted(without, 'frame')} of {source.len_hint} without a mask: they are taken to show no object."
        logger.warning("%s", note)
        before = given if isinstance(given, GivenMasks) else GivenMasks(given)
        return replace(before, notes=(*before.notes, note))

    def _start(self, given: Mapping[int, MaskImage]) -> Started:
        return Started(given, {"reviewed_against": self._first})

    def _propagator(self, network: MemoryNetwork) -> Propagator:
        return make_reviewer(network, self.resolved.segmentation, self.masks, self._first)

    @property
    def _annotations(self) -> Masks:
        return {self._first: self.masks[self._first]}

    def begin(self) -> ClipRun | None:
        """Check the folder, remember the frame that the others are held against, and return what is left."""
        clip = super().begin()
        if clip is not None and clip.start == 0 and isinstance(clip.propagator, Reviewer):
            clip.propagator.prepare(self.source)
        return clip


def _check_output(masks: Path, output: Path) -> None:
    """Refuse a folder of results that holds the masks: they would be replaced."""
    if output.resolve() in (masks.resolve(), *masks.resolve().parents):
        raise OutputError(f"{output} holds the masks themselves.", "Choose another folder for the results.")
