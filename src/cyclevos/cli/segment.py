"""``cyclevos segment``: masks for every frame of one video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli.adapt_options import Adapt, AdaptSet, asked_adaptation
from cyclevos.cli.mask_options import MasksBesidePrompts
from cyclevos.cli.options import Source
from cyclevos.cli.run_answer import tell_result, tell_worst
from cyclevos.cli.settings import with_settings
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.prompts.settings import PromptSettings
from cyclevos.propagation.settings import SegmentationSettings

_NOTHING_GIVEN = (
    "nothing says which object to follow. Point at it in the first frame, --point X,Y, or give its mask, --masks FILE."
)


@with_settings
def segment(
    source: Source,
    output: Annotated[Path, typer.Option(help="Folder of the results.")],
    masks: MasksBesidePrompts = None,
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make each frame of an interlaced video from one of its two fields.")
    ] = False,
    adapt: Adapt = False,
    adapt_set: AdaptSet = None,
    *,
    segmentation: SegmentationSettings,
    network: NetworkSettings,
    results: OutputSettings,
    reading: MaskReading,
    prompting: PromptSettings,
) -> None:
    """Segment a video from the masks of some of its frames, or from points and boxes in them.

    The same command again continues an interrupted run. A run without masks in --save, or with --direction backward
    or both, starts again from its first frame.
    """
    if masks is None and not prompting.prompts:
        raise typer.BadParameter(_NOTHING_GIVEN, param_hint="--point or --masks")
    adaptation = asked_adaptation(adapt, adapt_set)
    from cyclevos.jobs.segment_job import SegmentJob, run_job
    from cyclevos.jobs.starting_masks import KEPT
    from cyclevos.media.open_source import open_source

    opened = open_source(source, deinterlace=deinterlace)
    job = SegmentJob(
        opened,
        masks or {},
        output,
        segmentation,
        network,
        results,
        reading,
        prompting=prompting,
        adaptation=adaptation,
    )
    result = run_job(job)
    done = "" if result.segmented else " (finished before; --overwrite segments it again)"
    tell_result(result, output, done)
    if result.adaptation is not None and result.adaptation.kept:
        typer.echo(f"Adapted to the video: {result.adaptation.text}")
    if prompting.prompts:
        typer.echo(f"Masks made from the prompts: {output / KEPT}")
    tell_worst(output)
