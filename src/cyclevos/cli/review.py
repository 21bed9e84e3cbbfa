"""``cyclevos review``: which masks of somebody else's result to check."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli.run_answer import tell_result, tell_worst
from cyclevos.cli.settings import Only, with_settings
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import SegmentationSettings

_RESULTS = OutputSettings(save=("masks",))


@with_settings
def review(
    masks: Annotated[
        Path, typer.Argument(help="File or folder of the masks of all frames, in any format of --mask-format.")
    ],
    frames: Annotated[str, typer.Option(help="The video: anything that `cyclevos segment` takes as its source.")],
    output: Annotated[Path, typer.Option(help="Folder of the results.")],
    first: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Index of the frame whose mask is right and that the others are held against; by default the first "
            "one that shows an object.",
        ),
    ] = None,
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make each frame of an interlaced video from one of its two fields.")
    ] = False,
    *,
    segmentation: Annotated[SegmentationSettings, Only("size", "memory_every", "max_memory_frames")],
    network: NetworkSettings,
    results: OutputSettings = _RESULTS,
    reading: MaskReading,
) -> None:
    """Say how reliable masks of all frames are, whoever made them, and which frames to check first.

    Writes the reliability table, the review list and the timeline that `segment` writes. The same command again
    continues an interrupted review.
    """
    from cyclevos.jobs.review_job import ReviewJob, run_review
    from cyclevos.media.open_source import open_source

    opened = open_source(frames, deinterlace=deinterlace)
    job = ReviewJob(opened, masks, output, segmentation, network, results, reading, title="reviewing", first=first)
    result = run_review(job)
    done = "" if result.segmented else " (finished before; --overwrite reviews it again)"
    tell_result(result, output, done)
    tell_worst(output)
