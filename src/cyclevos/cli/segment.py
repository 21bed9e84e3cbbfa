"""``cyclevos segment``: masks for every frame of one video."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli import options


def segment(
    source: Annotated[Path, typer.Argument(help="Video file or folder of frames.")],
    masks: Annotated[
        Path, typer.Option(help="PNG of the first frame's objects, a folder of PNGs named after frames, or COCO JSON.")
    ],
    output: Annotated[Path, typer.Option(help="Folder of the results.")],
    weights: options.Weights = "default",
    size: options.Size = "auto",
    memory_every: options.MemoryEvery = 5,
    max_memory_frames: options.MaxMemoryFrames = 8,
    direction: options.DirectionOption = options.Direction.forward,
    correction: options.CorrectionOption = options.CorrectionName.off,
    correction_set: options.CorrectionSet = None,
    device: options.Device = "auto",
    dtype: options.Dtype = options.DtypeName.auto,
    objects_at_once: options.ObjectsAtOnce = None,
    save: options.Save = "masks,overlay",
    review: options.Review = 10,
    fit_mask: options.FitMask = False,
    fix_mask: options.FixMask = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Segment a video from the masks of some of its frames.

    The same command again continues an interrupted run. Without masks in --save, and with --direction backward or
    both, it starts anew.
    """
    # Checked before torch is loaded, so that a slip is answered at once.
    wanted = options.parse_save(save)
    side = options.parse_size(size)
    from cyclevos.exchange.given_masks import MaskReading
    from cyclevos.jobs.segment_job import SegmentJob, run_job

    job = SegmentJob(
        source=source,
        masks=masks,
        output=output,
        weights=weights,
        size=side,
        memory_every=memory_every,
        max_memory_frames=options.parse_bound(max_memory_frames),
        direction=direction.value,
        correction=options.parse_correction(correction, correction_set),
        device=device,
        dtype=dtype.value,
        objects_at_once=objects_at_once,
        save=wanted,
        review=review,
        reading=MaskReading(fit=fit_mask, fix=fix_mask),
        overwrite=overwrite,
        quiet=quiet,
    )
    result = run_job(job)
    typer.echo(f"{result.frames} frames, objects {', '.join(map(str, result.object_ids))}: {output}")
