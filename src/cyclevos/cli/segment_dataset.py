"""``cyclevos segment-dataset``: masks for every sequence of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli import options
from cyclevos.errors import CycleVOSError


def segment_dataset(
    root: Annotated[Path, typer.Argument(help="Data set: DAVIS, YouTube-VOS, or JPEGImages/Annotations folders.")],
    output: Annotated[Path, typer.Option(help="Folder of the results: <sequence>/<frame>.png.")],
    split: Annotated[str | None, typer.Option(help="Split to segment; none where there are no splits.")] = "val",
    sequences: Annotated[str | None, typer.Option(help="Some sequences, separated by commas.")] = None,
    annotations: Annotated[str, typer.Option(help="Folder of the masks inside the annotation root.")] = "Annotations",
    annotation_root: Annotated[Path | None, typer.Option(help="Where that folder is, if not in ROOT.")] = None,
    year: Annotated[int | None, typer.Option(help="Year of a DAVIS split.")] = None,
    objects: Annotated[
        options.ObjectsOption, typer.Option(help="Objects of the first mask alone, or also those that appear later.")
    ] = options.ObjectsOption.first,
    weights: options.Weights = "default",
    size: options.Size = "auto",
    memory_every: options.MemoryEvery = 5,
    max_memory_frames: options.MaxMemoryFrames = 16,
    correction: options.CorrectionOption = options.CorrectionName.off,
    correction_set: options.CorrectionSet = None,
    device: options.Device = "auto",
    dtype: options.Dtype = options.DtypeName.auto,
    save: Annotated[str, typer.Option(help="Any of masks,overlay,probabilities,coco.")] = "masks",
    review: options.Review = 10,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace earlier results.")] = False,
    quiet: options.Quiet = False,
) -> None:
    """Segment the sequences of a data set, each from the first mask of its objects.

    Finished sequences are skipped when the command is run again.
    """
    wanted, side = options.parse_save(save), options.parse_size(size)
    bound = options.parse_bound(max_memory_frames)
    corrected = options.parse_correction(correction, correction_set)
    from cyclevos.cli.job import SegmentJob, run_job
    from cyclevos.cli.review import join_reliability
    from cyclevos.datasets.first_masks import first_masks
    from cyclevos.datasets.layouts import open_dataset
    from cyclevos.network.weights import load_network

    dataset = open_dataset(
        root,
        None if split in (None, "none") else split,
        annotations=annotations,
        annotation_root=annotation_root,
        year=year,
        sequences=options.parse_names(sequences),
    )
    network = load_network(weights, device=device, dtype=dtype)
    segmented = 0
    for number, sequence in enumerate(dataset.sequences, start=1):
        job = SegmentJob(
            source=sequence.frames[0].parent,
            masks=first_masks(sequence, later=objects is options.ObjectsOption.appearing),
            output=output / sequence.name,
            weights=weights,
            size=side,
            memory_every=memory_every,
            max_memory_frames=bound,
            correction=corrected,
            device=device,
            dtype=dtype.value,
            save=wanted,
            review=review,
            overwrite=overwrite,
            quiet=quiet,
            title=f"{sequence.name} ({number}/{len(dataset)})",
        )
        try:
            segmented += run_job(job, network).segmented
        except CycleVOSError as error:
            raise type(error)(f"Sequence {sequence.name}: {error}") from error
    join_reliability(output, [sequence.name for sequence in dataset], review)
    typer.echo(f"{len(dataset)} sequences, {segmented} frames segmented now: {output}")
