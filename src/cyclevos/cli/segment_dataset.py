"""``cyclevos segment-dataset``: masks for every sequence of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli import options
from cyclevos.errors import FailedClipsError

if TYPE_CHECKING:
    from cyclevos.datasets.layouts import Dataset
    from cyclevos.jobs.segment_job import SegmentJob

_SHOWN = 20  # failures that the message lists


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
    max_memory_frames: options.MaxMemoryFrames = 8,
    correction: options.CorrectionOption = options.CorrectionName.off,
    correction_set: options.CorrectionSet = None,
    device: options.Device = "auto",
    dtype: options.Dtype = options.DtypeName.auto,
    objects_at_once: options.ObjectsAtOnce = None,
    save: options.Save = "masks",
    review: options.Review = 10,
    overwrite: options.Overwrite = False,
    jobs: Annotated[
        str, typer.Option(help="Sequences at a time: a number, or auto: one on a CPU, as many as fit on a GPU.")
    ] = "auto",
    cluster: Annotated[
        str | None, typer.Option(help="Run on Ray: auto (the running cluster, or one on this machine) or its address.")
    ] = None,
    quiet: options.Quiet = False,
) -> None:
    """Segment the sequences of a data set, each from the first mask of its objects.

    Finished sequences are skipped when the command is run again. A sequence that fails is tried once more
    after the others; what fails twice is listed at the end. OUTPUT/manifest.jsonl keeps a record of each.
    """
    wanted, side = options.parse_save(save), options.parse_size(size)
    bound = options.parse_bound(max_memory_frames)
    corrected = options.parse_correction(correction, correction_set)
    at_once = options.parse_jobs(jobs)
    from cyclevos.datasets.layouts import open_dataset
    from cyclevos.jobs.segment_job import SegmentJob

    dataset = open_dataset(
        root,
        None if split in (None, "none") else split,
        annotations=annotations,
        annotation_root=annotation_root,
        year=year,
        sequences=options.parse_names(sequences),
    )
    job = SegmentJob(
        source=root,
        masks={},
        output=output,
        weights=weights,
        size=side,
        memory_every=memory_every,
        max_memory_frames=bound,
        correction=corrected,
        device=device,
        dtype=dtype.value,
        objects_at_once=objects_at_once,
        save=wanted,
        review=review,
        overwrite=overwrite,
        quiet=quiet,
    )
    run_dataset(job, dataset, later=objects is options.ObjectsOption.appearing, jobs=at_once, cluster=cluster)


def run_dataset(job: SegmentJob, dataset: Dataset, *, later: bool, jobs: int | None, cluster: str | None) -> None:
    """Segment all sequences, here or on a cluster, and say what became of them."""
    from cyclevos.files.locks import sole_writer
    from cyclevos.jobs.batch import Execute, one_by_one, run_batch, side_by_side
    from cyclevos.jobs.clips import Clip, ClipRunner, clips_at_once
    from cyclevos.jobs.manifest import MANIFEST
    from cyclevos.jobs.progress import batch_bars
    from cyclevos.jobs.review import join_reliability

    total = len(dataset)
    clips = [Clip(each, title=f"{each.name} ({k}/{total})") for k, each in enumerate(dataset.sequences, start=1)]
    frames = sum(len(clip.sequence.frames) for clip in clips)
    with ExitStack() as stack:
        stack.enter_context(sole_writer(job.output))
        execute: Execute
        if cluster is None:
            runner = ClipRunner(job, later=later)
            runner.check(clips)
            record = runner.run_record()
            open_bar, finished = stack.enter_context(batch_bars(total, frames, quiet=job.quiet))
            count = clips_at_once(runner) if jobs is None else jobs
            execute = one_by_one(runner, open_bar) if count == 1 else side_by_side(runner, count, open_bar)
        else:
            from cyclevos.cluster.ray_workers import RayWorkers

            workers = stack.enter_context(RayWorkers(job, later=later, address=cluster, count=jobs))
            record = workers.run_record()
            _, finished = stack.enter_context(batch_bars(total, frames, quiet=job.quiet))
            execute = workers.execute
        result = run_batch(clips, execute, job.output, record, finished)
        join_reliability(job.output, [sequence.name for sequence in dataset], job.review)
    typer.echo(f"{total} sequences, {result.segmented} frames segmented now: {job.output}")
    if result.failed:
        raise FailedClipsError(_failures(result.failed, total, job.output / MANIFEST))


def _failures(failed: Mapping[str, str], total: int, manifest: Path) -> str:
    shown = [f"  {name}: {error}" for name, error in list(failed.items())[:_SHOWN]]
    more = [f"  and {len(failed) - _SHOWN} more"] if len(failed) > _SHOWN else []
    return "\n".join(
        [
            f"{len(failed)} of {total} sequences failed twice; the others are finished.",
            *shown,
            *more,
            f"{manifest} holds every attempt. Put right what is wrong and run the same command again: "
            "only these are left to do.",
        ]
    )
