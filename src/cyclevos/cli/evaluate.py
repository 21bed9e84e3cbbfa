"""Owns `cyclevos evaluate`: score predicted masks against a data set's ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli import options


def evaluate(
    results: Annotated[
        Path,
        typer.Argument(help="Folder of predicted masks: <sequence>/<frame>.png, pixel = object id."),
    ],
    dataset: Annotated[
        Path,
        typer.Option("--dataset", help="Root of the data set: DAVIS, YouTube-VOS or plain folders."),
    ],
    split: options.Split = "val",
    year: options.Year = None,
    layout: options.Layout = "auto",
    annotations: options.Annotations = "Annotations",
    annotation_root: options.AnnotationRoot = None,
    sequences: options.Sequences = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write all scores to this JSON file, as fractions.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write a row per object to this CSV file, as fractions.")
    ] = None,
    workers: options.Workers = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the overall line alone, no table.")] = False,
) -> None:
    """Score predicted masks with J and F, by the DAVIS semi-supervised protocol."""
    from rich.console import Console

    from cyclevos.datasets.layouts import open_dataset
    from cyclevos.evaluation import davis, reports

    opened = open_dataset(
        dataset,
        split,
        layout=layout,
        year=year,
        annotations=annotations,
        annotation_root=annotation_root,
        sequences=options.parse_names(sequences),
        need_frames=False,
    )
    evaluation = davis.evaluate(results, opened, workers=workers)
    if json is not None:
        reports.write_json(evaluation, json)
    if csv is not None:
        reports.write_csv(evaluation, csv)
    console = Console()
    if not quiet:
        console.print(reports.table(evaluation))
    console.print(reports.overall_line(evaluation), highlight=False)
