"""The command line: registers one command per file and turns errors into messages and exit codes."""

from __future__ import annotations

import logging
import sys
from typing import Annotated

import typer
from rich.console import Console

from cyclevos import __version__
from cyclevos.cli.app import app as browser_app
from cyclevos.cli.benchmark import benchmark
from cyclevos.cli.compare import compare
from cyclevos.cli.convert import convert
from cyclevos.cli.erf import erf
from cyclevos.cli.evaluate import evaluate
from cyclevos.cli.report import report
from cyclevos.cli.robustness import robustness
from cyclevos.cli.segment import segment
from cyclevos.cli.segment_dataset import segment_dataset
from cyclevos.cli.submission import submission
from cyclevos.cli.train import train
from cyclevos.errors import CycleVOSError

app = typer.Typer(
    help="Video object segmentation: give a video and the masks of one frame, get the masks of every frame.",
    epilog="Exit codes: 2 usage, 3 video, 4 mask, 5 weights, 6 configuration, 7 output, 8 data set, "
    "9 training, 10 missing extra, 11 failed clips, 12 app, 130 interrupted.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(segment)
app.command("segment-dataset")(segment_dataset)
app.command()(evaluate)
app.command()(report)
app.command()(benchmark)
app.command()(submission)
app.command()(convert)
app.command()(train)
app.command()(erf)
app.command()(compare)
app.command()(robustness)
app.command("app")(browser_app)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cyclevos {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log what is going on.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="%(name)s: %(message)s")


def main() -> None:
    """Run the command line."""
    try:
        app()
    except CycleVOSError as error:
        # Plain text: a message may hold brackets that rich would take for markup.
        Console(stderr=True).print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
