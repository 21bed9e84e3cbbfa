"""``cyclevos evaluate``: score predicted masks against a data set's ground truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli import options
from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.cli.settings import with_settings

if TYPE_CHECKING:
    from cyclevos.evaluation.scores import Evaluation


@with_settings
def evaluate(
    results: Annotated[
        Path,
        typer.Argument(help="Folder of predicted masks: <sequence>/<frame>.png, pixel = object id."),
    ],
    dataset: Annotated[
        Path,
        typer.Option("--dataset", help="Root of the data set: DAVIS, YouTube-VOS or plain folders."),
    ],
    selection: DatasetSettings,
    protocol: Annotated[
        options.ProtocolOption,
        typer.Option("--protocol", help="davis: objects of the first mask; others: also objects that appear later."),
    ] = options.ProtocolOption.davis,
    categories: Annotated[
        Path | None,
        typer.Option("--categories", help="YouTube-VOS meta.json of the scored split: report G by category."),
    ] = None,
    seen: Annotated[
        Path | None,
        typer.Option(
            "--seen", help="meta.json of the training split: its categories count as seen; by default all do."
        ),
    ] = None,
    json: Annotated[
        Path | None, typer.Option("--json", help="Write all scores to this JSON file, as fractions.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write a row per object to this CSV file, as fractions.")
    ] = None,
    workers: options.Workers = None,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print only the overall line, no table.")] = False,
) -> None:
    """Score predicted masks with J and F, by the DAVIS semi-supervised protocol or another."""
    from cyclevos.datasets.youtube_meta import read_meta
    from cyclevos.errors import ConfigError
    from cyclevos.evaluation import scoring
    from cyclevos.evaluation.categories import with_categories

    if seen is not None and categories is None:
        raise ConfigError(
            "--seen was given without --categories.", "Give the meta.json of the scored split as --categories."
        )
    # Both are read first: a mistake in them should not wait for the scores.
    meta = None if categories is None else read_meta(categories)
    seen_categories = None if seen is None else read_meta(seen).categories
    evaluation = scoring.evaluate(
        results, selection.open(dataset, need_frames=False), protocol=protocol.value, workers=workers
    )
    if meta is not None:
        evaluation = with_categories(evaluation, meta, seen_categories)
    _report(evaluation, json, csv, quiet)


def _report(evaluation: Evaluation, json: Path | None, csv: Path | None, quiet: bool) -> None:
    """Write the files that were asked for and print the scores."""
    from rich.console import Console

    from cyclevos.evaluation import reports

    if json is not None:
        reports.write_json(evaluation, json)
    if csv is not None:
        reports.write_csv(evaluation, csv)
    console = Console()
    if not quiet:
        console.print(reports.table(evaluation))
    console.print(reports.overall_line(evaluation), highlight=False)
