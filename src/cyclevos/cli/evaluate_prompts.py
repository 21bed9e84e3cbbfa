"""``cyclevos evaluate-prompts``: how many clicks, or how good a box, a prompter needs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli import options
from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.cli.prompt_options import PROMPTS, PrompterOption
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings

if TYPE_CHECKING:
    from cyclevos.datasets.layouts import Dataset

_FIRST, _ALL = "first", "all"
_FROM_CLICKS, _FROM_BOX = "clicks", "box"


@with_settings
def evaluate_prompts(
    root: Annotated[
        Path,
        typer.Argument(
            metavar="DATASET",
            help="Data set with ground truth, or stills: a folder with images/ and masks/, or a folder of such.",
        ),
    ],
    selection: DatasetSettings,
    network: Annotated[NetworkSettings, Only("device", "dtype")],
    results: Annotated[OutputSettings, Only("quiet")],
    prompter: PrompterOption = "default",
    frames: Annotated[
        str | None,
        typer.Option(
            help="Annotated frames of each sequence: first (default; of stills all), all, or a number, evenly spaced.",
            rich_help_panel=options.DATASET,
        ),
    ] = None,
    begin: Annotated[
        str,
        typer.Option(
            "--from",
            help="What the clicks begin from: clicks (nothing), box, or a folder of masks <sequence>/<frame>.png, "
            "which they repair.",
            rich_help_panel=PROMPTS,
        ),
    ] = _FROM_CLICKS,
    repair: Annotated[
        bool,
        typer.Option(
            "--repair",
            help="Repair the mask so far with each click; otherwise all clicks give a fresh one.",
            rich_help_panel=PROMPTS,
        ),
    ] = False,
    clicks: Annotated[int, typer.Option(min=1, help="Clicks at which clicking ends.", rich_help_panel=PROMPTS)] = 20,
    output: Annotated[
        Path | None,
        typer.Option(help="Folder of prompts.json and prompts.csv.", rich_help_panel=options.RESULTS),
    ] = None,
) -> None:
    """Score a prompter: J from the true box, from careless boxes, and after each click on the largest error.

    The table shows J after 1, 2, 3, 5 and 10 clicks, and the number of clicks to J 85 and 90 % (NoC).
    """
    number = _frames(frames)
    from rich.console import Console

    from cyclevos.datasets.stills import holds_stills, open_stills
    from cyclevos.evaluation import prompt_reports as reports
    from cyclevos.evaluation.prompting import PromptProtocol, chosen_frames
    from cyclevos.evaluation.prompting import evaluate_prompts as evaluate
    from cyclevos.files.atomic import check_folder, output_errors
    from cyclevos.jobs.progress import progress_bar
    from cyclevos.prompts.loading import load_prompter

    stills = holds_stills(root)
    dataset: Dataset = open_stills(root, selection.sequences) if stills else selection.open(root)
    masks = None if begin in (_FROM_CLICKS, _FROM_BOX) else _masks(begin)
    if output is not None:
        check_folder(output)
        with output_errors(output):  # now, not after the evaluation
            output.mkdir(parents=True, exist_ok=True)
    if frames is None and stills:
        number = None
    protocol = PromptProtocol(begin == _FROM_BOX, masks, repair, clicks, number)
    total = sum(len(chosen_frames(sequence, number)) for sequence in dataset)
    loaded = load_prompter(prompter, device=network.device, dtype=network.dtype)
    with progress_bar("prompts", total, unit="frames", quiet=results.quiet) as advance:
        evaluation = evaluate(loaded, dataset, protocol, advance)
    console = Console()
    console.print(reports.table(evaluation))
    console.print(reports.notes(evaluation), highlight=False, markup=False)
    if output is not None:
        reports.write_json(evaluation, output / reports.JSON_NAME)
        reports.write_csv(evaluation, output / reports.CSV_NAME)


def _frames(text: str | None) -> int | None:
    """Read ``--frames``: the number for each sequence, None for all.

    Raises:
        ConfigError: it is neither first, all nor a positive number.
    """
    if text is None or text == _FIRST:
        return 1
    if text == _ALL:
        return None
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise ConfigError(f"--frames {text!r} is no choice of frames.", "Give first, all, or a number from 1.")


def _masks(text: str) -> Path:
    """Read ``--from`` as a folder.

    Raises:
        ConfigError: there is no such folder.
    """
    folder = Path(text)
    if not folder.is_dir():
        raise ConfigError(
            f"--from {text!r} is neither clicks nor box, and no folder of that name exists.",
            "Give clicks, box, or a folder of masks <sequence>/<frame>.png.",
        )
    return folder
