"""What is refused before a job begins: a source that cannot be read its way, and results that cannot be made."""

from __future__ import annotations

from cyclevos.errors import ConfigError, OutputError, VideoError
from cyclevos.exchange.formats import chosen
from cyclevos.jobs.job import SegmentJob
from cyclevos.jobs.results import made_from_masks, needs_order
from cyclevos.media.open_source import open_source
from cyclevos.media.sources import FrameSource


def open_job_source(job: SegmentJob) -> FrameSource:
    """Open a job's source.

    Raises:
        VideoError: it cannot be read in the job's direction, or not in any order, as adaptation reads it.
        OutputError: the results would go among the frames.
    """
    source = job.source if isinstance(job.source, FrameSource) else open_source(job.source)
    if job.segmentation.direction != "forward":
        source.iterate(reverse=True)  # refuses a stream, which can only be read forward, before the network is loaded
    if job.adaptation is not None and not source.can_be_read_again:
        raise VideoError(
            f"{source.location} is a stream, and a network is adapted on frames before they are segmented.",
            "Segment it without adaptation, or record it first, for example with ffmpeg.",
        )
    if job.output.resolve() == source.path.resolve():
        raise OutputError(f"{job.output} holds the frames themselves.", "Choose another folder for the results.")
    return source


def check_save(job: SegmentJob) -> None:
    """Refuse results whose libraries are not installed, or that are made from masks which are not saved.

    Raises:
        MissingExtraError, ConfigError: as said.
    """
    save = job.results.save
    for each in chosen(save) if save else ():
        if each.check is not None:
            each.check()
    if "masks" in save:
        return
    ordered = needs_order(save)
    if job.segmentation.direction == "backward" and ordered:
        raise ConfigError(
            f"These results of a backward run are made from its masks: {', '.join(ordered)}.",
            "To save them, add masks to --save.",
        )
    exported = made_from_masks(save)
    if exported:
        raise ConfigError(
            f"These results are made from the masks at the end: {', '.join(exported)}.", "Add masks to --save."
        )
