"""``cyclevos segment-dataset``: masks for every sequence of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli import options
from cyclevos.cli.adapt_options import Adapt, AdaptSet, asked_adaptation
from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError, FailedClipsError
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import SegmentationSettings
from cyclevos.words import counted

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
    clips_at_once: Annotated[
        str,
        typer.Option(
            help="Sequences to segment together in one process: a number, or auto (one on a CPU; on a GPU one per "
            "4 GB of free memory, at most four; one where the network is adapted to each).",
        ),
    ] = "auto",
    cluster: Annotated[
        str | None, typer.Option(help="Run on Ray: auto (the running cluster, or one on this machine) or its address.")
    ] = None,
    cluster_workers: Annotated[
        int | None,
        typer.Option(min=1, help="Number of workers on the cluster; one per GPU, or per machine without GPUs."),
    ] = None,
    adapt: Adapt = False,
    adapt_set: AdaptSet = None,
    jobs: Annotated[str | None, typer.Option(hidden=True, help="Earlier name of the two numbers above.")] = None,
) -> None:
    """Segment the sequences of a data set, each from the first mask of its objects.

    Finished sequences are skipped when the command is run again. A sequence that fails is tried once more after the
    others; those that fail twice are listed at the end. OUTPUT/manifest.jsonl records every sequence.
    """
    place = Place.read(clips_at_once, cluster, cluster_workers, jobs)
    adaptation = asked_adaptation(adapt, adapt_set)
    if adaptation is not None:
        place = place.one_at_a_time()
    from cyclevos.jobs.segment_job import SegmentJob

    if cluster is not None:  # its processes have another working directory
        root = root.resolve()
        if selection.annotation_root is not None:
            selection = replace(selection, annotation_root=selection.annotation_root.resolve())
    dataset = selection.open(root)
    job = SegmentJob(root, {}, output, segmentation, network, results, adaptation=adaptation)
    run_dataset(job, dataset, later=objects is options.ObjectsOption.appearing, place=place)


@dataclass(frozen=True)
class Place:
    """Where the sequences are segmented.

    Attributes:
        at_once: sequences at a time in this process; None = as many as suit the device.
        cluster: address of a Ray cluster; None = this process.
        workers: number of workers there; None = as many as the cluster has GPUs or machines.
    """

    at_once: int | None = None
    cluster: str | None = None
    workers: int | None = None

    @classmethod
    def read(cls, at_once: str, cluster: str | None, workers: int | None, jobs: str | None) -> Place:
        """Read the options, each as given; ``--jobs`` is an earlier name of the number that applies.

        Raises:
            ConfigError: a number is impossible, given twice, or does not apply.
        """
        together = options.parse_at_once(at_once)
        name, given = ("--clips-at-once", together) if cluster is None else ("--cluster-workers", workers)
        if jobs is not None and given is not None:
            raise ConfigError(f"--jobs is an earlier name of {name}, and both were given.", f"Give {name} alone.")
        number = None if jobs is None else options.parse_at_once(jobs, "--jobs")
        if cluster is None:
            if workers is not None:
                raise ConfigError("--cluster-workers applies to a cluster only.", "Add --cluster auto or its address.")
            return cls(together or number)
        if together not in (None, 1):
            raise ConfigError(
                f"--clips-at-once {together} does not apply to a cluster: each worker segments one sequence at a time.",
                f"Give --cluster-workers {together} for that many workers.",
            )
        return cls(1, cluster, workers or number)

    def one_at_a_time(self) -> Place:
        """Return the same place for sequences with a network of their own each, which cannot share its work.

        Raises:
            ConfigError: several at a time were asked for.
        """
        if self.at_once not in (None, 1):
            raise ConfigError(
                f"--clips-at-once {self.at_once} does not go with adaptation: each sequence has a network of its own.",
                "Leave --clips-at-once out.",
            )
        return replace(self, at_once=1)


def run_dataset(job: SegmentJob, dataset: Dataset, *, later: bool, place: Place) -> None:
    """Segment all sequences, here or on a cluster, and report how many were done and which failed.

    Raises:
        FailedClipsError: some sequences failed twice; the others are finished.
        CycleVOSError: the command is wrong, or results cannot be written.
    """
    from cyclevos.files.locks import sole_writer
    from cyclevos.jobs.batch import Execute, in_lockstep, run_batch
    from cyclevos.jobs.clip_record import Clip
    from cyclevos.jobs.clips import ClipRunner, clips_at_once
    from cyclevos.jobs.manifest import MANIFEST
    from cyclevos.jobs.progress import batch_bars
    from cyclevos.jobs.review import join_reliability

    total = len(dataset)
    clips = [Clip(each, title=f"{each.name} ({k}/{total})") for k, each in enumerate(dataset.sequences, start=1)]
    frames = sum(len(clip.sequence.frames) for clip in clips)
    with ExitStack() as stack:
        stack.enter_context(sole_writer(job.output))
        execute: Execute
        if place.cluster is None:
            runner = ClipRunner(job, later=later)
            runner.check(clips)
            record = runner.run_record()
            open_bar, finished = stack.enter_context(batch_bars(total, frames, quiet=job.results.quiet))
            execute = in_lockstep(runner, place.at_once or clips_at_once(runner), open_bar)
        else:
            from cyclevos.cluster.ray_workers import RayWorkers

            workers = stack.enter_context(RayWorkers(job, later=later, address=place.cluster, count=place.workers))
            record = workers.run_record()
            _, finished = stack.enter_context(batch_bars(total, frames, quiet=job.results.quiet))
            execute = workers.execute
        result = run_batch(clips, execute, job.output, record, finished)
        join_reliability(job.output, [sequence.name for sequence in dataset], job.results.review)
    sequences, segmented = counted(total, "sequence"), counted(result.segmented, "frame")
    typer.echo(f"{sequences}, {segmented} segmented now. Results: {job.output}")
    if result.failed:
        raise FailedClipsError(
            _failures(result.failed, total),
            f"{job.output / MANIFEST} records every attempt. Fix the problems and run the same command again: only "
            "these sequences are left to do.",
        )


def _failures(failed: Mapping[str, str], total: int) -> str:
    shown = [f"  {name}: {error}" for name, error in list(failed.items())[:_SHOWN]]
    others = len(failed) < total
    more = [f"  and {len(failed) - _SHOWN} more"] if len(failed) > _SHOWN else []
    first = (
        f"{len(failed)} of {counted(total, 'sequence')} failed twice{'; the others are finished' if others else ''}."
    )
    return "\n".join([first, *shown, *more, ""])
