"""Owns `cyclevos evaluate`: score predicted masks against a data set's ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def evaluate(
    results: Annotated[
        Path,
        typer.Argument(help="Folder of predicted masks: <sequence>/<frame>.png, pixel = object id."),
    ],
    dataset: Annotated[
        Path,
        typer.Option("--dataset", help="Root of the data set: DAVIS, YouTube-VOS or plain folders."),
    ],
    split: Annotated[
        str, typer.Option("--split", help="Split list to score, or 'all' for every sequence there is.")
    ] = "val",
    year: Annotated[
        int | None,
        typer.Option("--year", help="DAVIS year of the split list: 2016 or 2017, the newer by default."),
    ] = None,
    layout: Annotated[
        str, typer.Option("--layout", help="How the data set is laid out: auto, davis, youtube-vos or plain.")
    ] = "auto",
    annotations: Annotated[
        str, typer.Option("--annotations", help="Name of the data set's folder with the ground truth.")
    ] = "Annotations",
    annotation_root: Annotated[
        Path | None,
        typer.Option("--annotation-root", help="Where that folder lies, if not in the root."),
    ] = None,
    sequences: Annotated[
        str | None, typer.Option("--sequences", help="Score only these sequences, separated by commas.")
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write all scores to this JSON file, as fractions.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write a row per object to this CSV file, as fractions.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option("--workers", min=1, help="Processes to use; one per CPU by default.")
    ] = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print the overall line alone, no table.")] = False,
) -> None:
    """Score predicted masks with J and F, by the DAVIS semi-supervised protocol."""
    from rich.console import Console

    from cyclevos.datasets.layouts import open_dataset
    from cyclevos.evaluation import davis, reports

    wanted = None if sequences is None else [name.strip() for name in sequences.split(",") if name.strip()]
    opened = open_dataset(
        dataset,
        split,
        layout=layout,
        year=year,
        annotations=annotations,
        annotation_root=annotation_root,
        sequences=wanted,
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
