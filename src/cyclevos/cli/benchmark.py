"""``cyclevos benchmark``: networks, corrections and sizes over a data set, as one report."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli import options
from cyclevos.errors import ConfigError, DatasetError, FailedClipsError


def benchmark(
    root: Annotated[Path, typer.Argument(help="Data set with ground truth.")],
    output: Annotated[Path, typer.Option(help="Folder: a run each in runs/, and the report.")],
    weights: Annotated[str, typer.Option(help="Names, files or hf://... of weights, separated by commas.")] = "default",
    corrections: Annotated[str, typer.Option(help="Any of off,paper,default, separated by commas.")] = "off,default",
    sizes: Annotated[
        str, typer.Option(help="As --size of segment: auto, none or numbers, separated by commas.")
    ] = "auto",
    split: options.Split = "val",
    year: options.Year = None,
    layout: options.Layout = "auto",
    annotations: options.Annotations = "Annotations",
    annotation_root: options.AnnotationRoot = None,
    sequences: options.Sequences = None,
    memory_every: options.MemoryEvery = 5,
    max_memory_frames: options.MaxMemoryFrames = 8,
    device: options.Device = "auto",
    dtype: options.Dtype = options.DtypeName.auto,
    workers: options.Workers = None,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Run every combination over a data set, one clip at a time, score them and write OUTPUT/report.html and .md.

    A clip that fails is left out and said at the end. The same command again does what is left and writes the
    report anew.
    """
    plan = _plan(weights, corrections, sizes)
    bound = options.parse_bound(max_memory_frames)
    from cyclevos.analysis.report.pages import HTML, MARKDOWN, write_report
    from cyclevos.cli.segment_dataset import run_dataset
    from cyclevos.datasets.layouts import open_dataset
    from cyclevos.jobs.segment_job import SegmentJob

    dataset = open_dataset(
        root,
        split,
        layout=layout,
        year=year,
        annotations=annotations,
        annotation_root=annotation_root,
        sequences=options.parse_names(sequences),
    )
    folders: list[Path] = []
    failures: list[str] = []
    for name, (network, correction, size) in plan.items():
        job = SegmentJob(
            source=root,
            masks={},
            output=output / "runs" / name,
            weights=network,
            size=options.parse_size(size),
            memory_every=memory_every,
            max_memory_frames=bound,
            correction=options.parse_correction(options.CorrectionName(correction), None),
            device=device,
            dtype=dtype.value,
            save=("masks",),
            overwrite=overwrite,
            quiet=quiet,
        )
        typer.echo(f"{name} ({len(folders) + 1}/{len(plan)})")
        try:
            run_dataset(job, dataset, later=False, jobs=1, cluster=None)
        except FailedClipsError as error:
            failures.append(f"{name}: {error}")
        folders.append(job.output)
    try:
        write_report(folders, output, dataset, workers=workers)
        typer.echo(f"{output / HTML}\n{output / MARKDOWN}")
    except DatasetError as error:
        if not failures:
            raise
        failures.append(f"There is no report: {error}")
    if failures:
        raise FailedClipsError("\n".join(failures))


def _plan(weights: str, corrections: str, sizes: str) -> dict[str, tuple[str, str, str]]:
    """Return weights, correction and size of each run by a name that says what differs.

    Raises:
        ConfigError: something is misspelt, or two runs would have the same name.
    """
    networks, fixes, sides = (
        list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        for text in (weights, corrections, sizes)
    )
    known = [each.value for each in options.CorrectionName]
    wrong = [fix for fix in fixes if fix not in known]
    if wrong or not (networks and fixes and sides):
        raise ConfigError(
            f"--weights {weights!r}, --corrections {corrections!r}, --sizes {sizes!r}: expected at least one of each, "
            f"corrections from {','.join(known)}, separated by commas."
        )
    for side in sides:
        options.parse_size(side)
    plan: dict[str, tuple[str, str, str]] = {}
    for network, fix, side in product(networks, fixes, sides):
        name = "-".join([Path(network.rpartition("=")[2]).stem, fix] + ([side] if len(sides) > 1 else []))
        if plan.setdefault(name, (network, fix, side)) != (network, fix, side):
            raise ConfigError(f"--weights {weights}: two files are called {Path(network).stem}. Rename one of them.")
    return plan
