"""``cyclevos segment-dataset``: masks for every sequence of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli import options
from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import FailedClipsError
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import SegmentationSettings

if TYPE_CHECKING:
    from cyclevos.datasets.layouts import Dataset
    from cyclevos.jobs.segment_job import SegmentJob

_MASKS_ALONE = OutputSettings(save=("masks",))
_SHOWN = 20  # failures that the message lists


@with_settings
def segment_dataset(
    root: Annotated[Path, typer.Argument(help="Data set: DAVIS, YouTube-VOS, or JPEGImages/Annotations folders.")],
    output: Annotated[Path, typer.Option(help="Folder of the results: <sequence>/<frame>.png.")],
    selection: Annotated[DatasetSettings, Only("split", "sequences", "annotations", "annotation_root", "year")],
    segmentation: Annotated[SegmentationSettings, Only("size", "memory_every", "max_memory_frames", "correction")],
    network: NetworkSettings,
    results: OutputSettings = _MASKS_ALONE,
    objects: Annotated[
        options.ObjectsOption,
        typer.Option(help="Follow the objects of the first annotated frame only, or also those that appear later."),
    ] = options.ObjectsOption.first,
    jobs: Annotated[
        str,
        typer.Option(help="Sequences at a time: a number, or auto (one on a CPU, as many as fit on a GPU)."),
    ] = "auto",
    cluster: Annotated[
        str | None, typer.Option(help="Run on Ray: auto (the running cluster, or one on this machine) or its address.")
    ] = None,
) -> None:
    """Segment the sequences of a data set, each from the first mask of its objects.

    Finished sequences are skipped when the command is run again. A sequence that fails is tried once more after the
    others; those that fail twice are listed at the end. OUTPUT/manifest.jsonl records every sequence.
    """
    at_once = options.parse_jobs(jobs)
    from cyclevos.jobs.segment_job import SegmentJob

    if cluster is not None:  # its processes have another working directory
        root = root.resolve()
        if selection.annotation_root is not None:
            selection = replace(selection, annotation_root=selection.annotation_root.resolve())
    dataset = selection.open(root)
    job = SegmentJob(root, {}, output, segmentation, network, results)
    run_dataset(job, dataset, later=objects is options.ObjectsOption.appearing, jobs=at_once, cluster=cluster)


def run_dataset(job: SegmentJob, dataset: Dataset, *, later: bool, jobs: int | None, cluster: str | None) -> None:
    """Segment all sequences, here or on a cluster, and report how many were done and which failed.

    Raises:
        FailedClipsError: some sequences failed twice; the others are finished.
        CycleVOSError: the command is wrong, or results cannot be written.
    """
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
            open_bar, finished = stack.enter_context(batch_bars(total, frames, quiet=job.results.quiet))
            count = clips_at_once(runner) if jobs is None else jobs
            execute = one_by_one(runner, open_bar) if count == 1 else side_by_side(runner, count, open_bar)
        else:
            from cyclevos.cluster.ray_workers import RayWorkers

            workers = stack.enter_context(RayWorkers(job, later=later, address=cluster, count=jobs))
            record = workers.run_record()
            _, finished = stack.enter_context(batch_bars(total, frames, quiet=job.results.quiet))
            execute = workers.execute
        result = run_batch(clips, execute, job.output, record, finished)
        join_reliability(job.output, [sequence.name for sequence in dataset], job.results.review)
    typer.echo(f"{total} sequences, {result.segmented} frames segmented now: {job.output}")
    if result.failed:
        raise FailedClipsError(
            _failures(result.failed, total),
            f"{job.output / MANIFEST} records every attempt. Fix the problems and run the same command again: only "
            "these sequences are left to do.",
        )


def _failures(failed: Mapping[str, str], total: int) -> str:
    shown = [f"  {name}: {error}" for name, error in list(failed.items())[:_SHOWN]]
    more = [f"  and {len(failed) - _SHOWN} more"] if len(failed) > _SHOWN else []
    first = f"{len(failed)} of {total} sequences failed twice; the others are finished."
    return "\n".join([first, *shown, *more, ""])
