"""The command line: registers the commands, and turns errors into messages and exit codes."""

from __future__ import annotations

import functools
import inspect
import logging
import sys
from collections.abc import Callable
from typing import Annotated, Any, get_type_hints

import typer
from rich.console import Console

from cyclevos import __version__
from cyclevos.cli.adapt import adapt
from cyclevos.cli.app import app as browser_app
from cyclevos.cli.benchmark import benchmark
from cyclevos.cli.calibrate import calibrate
from cyclevos.cli.compare import compare
from cyclevos.cli.convert import convert
from cyclevos.cli.erf import erf
from cyclevos.cli.evaluate import evaluate
from cyclevos.cli.evaluate_prompts import evaluate_prompts
from cyclevos.cli.first_frame import first_frame
from cyclevos.cli.first_mask import first_mask
from cyclevos.cli.report import report
from cyclevos.cli.review import review
from cyclevos.cli.robustness import robustness
from cyclevos.cli.segment import segment
from cyclevos.cli.segment_dataset import segment_dataset
from cyclevos.cli.submission import submission
from cyclevos.cli.train import train
from cyclevos.cli.weights import weights_app
from cyclevos.errors import CycleVOSError

Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Log what the program does. Works before and after the command.")
]
# Hidden: it is listed once, above the commands, where it takes no room from their own options.
_CommandVerbose = Annotated[bool, typer.Option("--verbose", "-v", hidden=True)]

# Name, function and panel of the help.
_COMMANDS: tuple[tuple[str, Callable[..., Any], str], ...] = (
    ("first-frame", first_frame, "Segment videos"),
    ("first-mask", first_mask, "Segment videos"),
    ("segment", segment, "Segment videos"),
    ("segment-dataset", segment_dataset, "Segment videos"),
    ("review", review, "Segment videos"),
    ("app", browser_app, "Segment videos"),
    ("convert", convert, "Segment videos"),
    ("evaluate", evaluate, "Score results"),
    ("evaluate-prompts", evaluate_prompts, "Score results"),
    ("report", report, "Score results"),
    ("benchmark", benchmark, "Score results"),
    ("submission", submission, "Score results"),
    ("train", train, "Train and analyse networks"),
    ("adapt", adapt, "Train and analyse networks"),
    ("calibrate", calibrate, "Train and analyse networks"),
    ("erf", erf, "Train and analyse networks"),
    ("compare", compare, "Train and analyse networks"),
    ("robustness", robustness, "Train and analyse networks"),
)


def _with_verbose(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option -v, so that it also works after the command's name."""

    @functools.wraps(command)
    def run(*arguments: Any, verbose: bool = False, **values: Any) -> Any:
        if verbose:
            _log_more()
        return command(*arguments, **values)

    hints = {**get_type_hints(command, include_extras=True), "verbose": _CommandVerbose}
    signature = inspect.signature(command)
    known = [parameter.replace(annotation=hints[name]) for name, parameter in signature.parameters.items()]
    added = inspect.Parameter("verbose", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_CommandVerbose)
    run.__signature__ = signature.replace(parameters=[*known, added])  # type: ignore[attr-defined]
    run.__annotations__ = hints
    return run


class _Lines(logging.Formatter):
    """Our warnings look like our errors; other lines, of libraries and of --verbose, begin with who says it."""

    def format(self, record: logging.LogRecord) -> str:
        ours = record.name.split(".")[0] == "cyclevos" and record.levelno >= logging.WARNING
        return f"{record.levelname.lower() if ours else record.name}: {super().format(record)}"


def _log_more() -> None:
    logging.getLogger("cyclevos").setLevel(logging.INFO)  # the libraries stay as quiet as they are


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cyclevos {__version__}")
        raise typer.Exit


app = typer.Typer(
    help="Video object segmentation: give a video and a click on an object or its mask, get the masks of every frame.",
    epilog="Exit codes: 2 usage, 3 video, 4 mask, 5 weights, 6 configuration, 7 output, 8 data set, "
    "9 training, 10 missing extra, 11 failed clips, 12 app, 13 prompt, 130 interrupted.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
for _name, _function, _panel in _COMMANDS:
    app.command(_name, rich_help_panel=_panel)(_with_verbose(_function))
for _part in (weights_app.registered_callback, *weights_app.registered_commands):
    if _part is not None and _part.callback is not None:
        _part.callback = _with_verbose(_part.callback)
app.add_typer(weights_app, name="weights", rich_help_panel="Train and analyse networks")


@app.callback()
def _options(
    verbose: Verbose = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if verbose:
        _log_more()


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
