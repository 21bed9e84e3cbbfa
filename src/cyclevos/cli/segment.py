"""``cyclevos segment``: masks for every frame of one video."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli.mask_options import MasksBesidePrompts
from cyclevos.cli.options import Source
from cyclevos.cli.settings import with_settings
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.prompts.settings import PromptSettings
from cyclevos.propagation.settings import SegmentationSettings
from cyclevos.words import counted, objects_text

_NOTHING_GIVEN = (
    "nothing says which object to follow. Point at it in the first frame, --point X,Y, or give its mask, --masks FILE."
)
_SHOWN = 3  # frames of the review list that the answer names


@with_settings
def segment(
    source: Source,
    output: Annotated[Path, typer.Option(help="Folder of the results.")],
    masks: MasksBesidePrompts = None,
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Make each frame of an interlaced video from one of its two fields.")
    ] = False,
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
    from cyclevos.jobs.review import REVIEW_FOLDER
    from cyclevos.jobs.run_folder import TIMELINE
    from cyclevos.jobs.segment_job import SegmentJob, run_job
    from cyclevos.jobs.starting_masks import KEPT
    from cyclevos.media.open_source import open_source
    from cyclevos.media.reliability_files import REVIEW_FILE, ReliabilityRow, prediction_name

    opened = open_source(source, deinterlace=deinterlace)
    job = SegmentJob(opened, masks or {}, output, segmentation, network, results, reading, prompting=prompting)
    result = run_job(job)
    done = "" if result.segmented else " (finished before; --overwrite segments it again)"
    typer.echo(
        f"{counted(result.frames, 'frame')}, {objects_text(result.object_ids, result.names)}{done}. Results: {output}"
    )
    if prompting.prompts:
        typer.echo(f"Masks made from the prompts: {output / KEPT}")
    worst = json.loads((output / REVIEW_FILE).read_text(encoding="utf-8"))["review"][:_SHOWN]
    if worst:
        shown = ", ".join(f"{row['frame']} ({row['reliability']:.2f})" for row in worst)
        name = prediction_name(ReliabilityRow(**row) for row in worst)
        typer.echo(f"Check first ({name}): {shown}. Timeline: {output / REVIEW_FOLDER / TIMELINE}")
