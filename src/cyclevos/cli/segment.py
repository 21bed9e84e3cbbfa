"""``cyclevos segment``: masks for every frame of one video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli.settings import with_settings
from cyclevos.exchange.mask_reading import MaskReading
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import SegmentationSettings


@with_settings
def segment(
    source: Annotated[Path, typer.Argument(help="Video file or folder of frames.")],
    masks: Annotated[
        Path,
        typer.Option(
            help="Annotations: a PNG for the first frame, a folder of PNGs named after their frames, or COCO JSON."
        ),
    ],
    output: Annotated[Path, typer.Option(help="Folder of the results.")],
    segmentation: SegmentationSettings,
    network: NetworkSettings,
    results: OutputSettings,
    reading: MaskReading,
) -> None:
    """Segment a video from the masks of some of its frames.

    The same command again continues an interrupted run. A run without masks in --save, or with --direction backward
    or both, starts again from its first frame.
    """
    from cyclevos.jobs.segment_job import SegmentJob, run_job

    result = run_job(SegmentJob(source, masks, output, segmentation, network, results, reading))
    typer.echo(f"{result.frames} frames, objects {', '.join(map(str, result.object_ids))}: {output}")
