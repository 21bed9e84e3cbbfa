"""``cyclevos report``: runs side by side on one page."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli import options
from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.cli.settings import with_settings


@with_settings
def report(
    runs: Annotated[
        list[Path], typer.Argument(help="Results of segment-dataset; the others are compared with the first.")
    ],
    output: Annotated[Path, typer.Option(help="Folder of report.html, and of report.md with its pictures.")],
    selection: DatasetSettings,
    dataset: Annotated[
        Path | None, typer.Option("--dataset", help="Root of the data set with the ground truth; optional.")
    ] = None,
    pictures: Annotated[
        int, typer.Option(min=0, help="Pictures per group of frames: the worst, the best, and so on.")
    ] = 4,
    workers: options.Workers = None,
    quiet: options.Quiet = False,
) -> None:
    """Compare runs: scores, reliability, agreement, speed, memory and how they were made, as Markdown and HTML."""
    from cyclevos.analysis.report.pages import HTML, MARKDOWN, write_report
    from cyclevos.jobs.progress import progress_bar

    opened = None if dataset is None else selection.open(dataset, need_frames=False)
    with progress_bar("report", None, unit="steps", quiet=quiet) as advance:
        steps = iter(range(1, 1_000_000_000))
        write_report(
            runs,
            output,
            opened,
            sequences=selection.sequences,
            pictures=pictures,
            workers=workers,
            progress=lambda note: advance(next(steps), note),
        )
    typer.echo(f"{output / HTML}\n{output / MARKDOWN}")
