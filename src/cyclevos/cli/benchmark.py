"""``cyclevos benchmark``: networks, adaptations, corrections and sizes over a data set, as one report."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cyclevos.cli import options
from cyclevos.cli.adapt_options import asked_adaptation
from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError, DatasetError, FailedClipsError
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import SegmentationSettings

_MASKS_ALONE = OutputSettings(save=("masks",))
_OFF = "off"
_ADAPTATIONS = (_OFF, "default")


class _Run(NamedTuple):
    """One combination, each value as it was typed."""

    weights: str
    correction: str
    size: str
    adaptation: str


@with_settings
def benchmark(
    root: Annotated[Path, typer.Argument(help="Data set with ground truth.")],
    output: Annotated[Path, typer.Option(help="Folder of the report, with each run's results in runs/.")],
    selection: DatasetSettings,
    segmentation: Annotated[SegmentationSettings, Only("memory_every", "max_memory_frames")],
    network: Annotated[NetworkSettings, Only("device", "dtype")],
    weights: Annotated[
        str,
        typer.Option(help="Names, files or hf://... of weights, separated by commas.", rich_help_panel=options.NETWORK),
    ] = "default",
    corrections: Annotated[
        str,
        typer.Option(
            help="Any of off, prune, default and paper, separated by commas.", rich_help_panel=options.SEGMENTATION
        ),
    ] = "off,prune,default",
    adaptations: Annotated[
        str,
        typer.Option(
            help="Any of off and default, which adapts the network to each sequence, separated by commas.",
            rich_help_panel=options.NETWORK,
        ),
    ] = "off",
    sizes: Annotated[
        str,
        typer.Option(
            help="Values of segment's --size: auto, none or numbers, separated by commas.",
            rich_help_panel=options.SEGMENTATION,
        ),
    ] = "auto",
    results: Annotated[OutputSettings, Only("overwrite", "quiet")] = _MASKS_ALONE,
    workers: options.Workers = None,
) -> None:
    """Segment a data set with every combination, one sequence at a time, score the results and write a report.

    The report is OUTPUT/report.html and OUTPUT/report.md. Sequences that fail are left out and listed at the end.
    Running the same command again completes missing runs and rewrites the report.
    """
    plan = _plan(weights, corrections, sizes, adaptations)
    from cyclevos.analysis.report.pages import HTML, MARKDOWN, write_report
    from cyclevos.cli.segment_dataset import Place, run_dataset
    from cyclevos.jobs.segment_job import SegmentJob

    dataset = selection.open(root)
    folders: list[Path] = []
    failures: list[str] = []
    for name, run in plan.items():
        used = replace(
            segmentation,
            size=options.parse_size(run.size),
            correction=options.parse_correction(options.CorrectionName(run.correction), None),
        )
        folder, chosen = output / "runs" / name, replace(network, weights=run.weights)
        adaptation = asked_adaptation(run.adaptation != _OFF, None)
        job = SegmentJob(root, {}, folder, used, chosen, results, adaptation=adaptation)
        typer.echo(f"{name} ({len(folders) + 1}/{len(plan)})")
        try:
            run_dataset(job, dataset, later=False, place=Place(at_once=1))
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
        raise FailedClipsError("\n".join(failures), "Fix the problems and run the same command again.")


def _plan(weights: str, corrections: str, sizes: str, adaptations: str) -> dict[str, _Run]:
    """Return the runs by names made of their values.

    Raises:
        ConfigError: a value is misspelt, or two runs would have the same name.
    """
    networks, fixes, sides, changes = (
        list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
        for text in (weights, corrections, sizes, adaptations)
    )
    known = [each.value for each in options.CorrectionName]
    wrong = [*(fix for fix in fixes if fix not in known), *(each for each in changes if each not in _ADAPTATIONS)]
    if wrong or not (networks and fixes and sides and changes):
        raise ConfigError(
            f"--weights {weights!r}, --corrections {corrections!r}, --sizes {sizes!r}, --adaptations {adaptations!r}: "
            f"expected at least one of each, corrections from {','.join(known)}, adaptations from "
            f"{','.join(_ADAPTATIONS)}, separated by commas.",
            "Correct these options.",
        )
    for side in sides:
        options.parse_size(side)
    plan: dict[str, _Run] = {}
    for run in (_Run(*values) for values in product(networks, fixes, sides, changes)):
        parts = [_short(run.weights), run.correction]
        parts += [run.size] if len(sides) > 1 else []
        parts += [] if run.adaptation == _OFF else ["adapted"]
        if plan.setdefault("-".join(parts), run) != run:
            raise ConfigError(f"--weights {weights}: two of them are called {parts[0]}.", "Rename one of them.")
    return plan


def _short(weights: str) -> str:
    """Return the name of weights, or of their file, folder or repository, which may have dots.

    >>> [_short(each) for each in ("sam2.1-tiny", "hf://facebook/sam2.1-hiera-tiny", "stm-resnet50=a/STM.pth")]
    ['sam2.1-tiny', 'sam2.1-hiera-tiny', 'STM']
    """
    return re.sub(r"\.(safetensors|pt|pth|pth\.tar)$", "", Path(weights.rpartition("=")[2]).name)
