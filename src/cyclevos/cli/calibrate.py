"""``cyclevos calibrate``: fits the reliability predictor to a network, on videos with known masks."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.settings import SegmentationSettings
from cyclevos.words import counted

if TYPE_CHECKING:
    from cyclevos.analysis.calibration import Calibrated

_ENOUGH_FAILURES = 30  # below that, the answer says that the videos show few


@with_settings
def calibrate(
    root: Annotated[
        Path, typer.Argument(help="Data set with ground truth, best one that the network was not trained on.")
    ],
    selection: DatasetSettings,
    network: Annotated[NetworkSettings, Only("weights", "device", "dtype")],
    segmentation: Annotated[SegmentationSettings, Only("size", "memory_every", "max_memory_frames")],
    results: Annotated[OutputSettings, Only("quiet")],
    limit: Annotated[
        int | None, typer.Option(min=2, help="Number of frames of each sequence at most; all by default.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The file, if not NAME.reliability.safetensors beside the weights, where every run finds it."
        ),
    ] = None,
) -> None:
    """Fit the reliability of a network to videos with known masks, so that it predicts J.

    The figures printed are those on sequences that the predictor was not fitted to, beside those of the uncalibrated
    formula. Every later run with these weights uses the predictor; an earlier one stays until it is replaced at the
    end.
    """
    from cyclevos.analysis.calibration import calibrated, check_output, save_predictor
    from cyclevos.analysis.signals import check_truth, collect
    from cyclevos.jobs.progress import progress_bar
    from cyclevos.propagation.segment import make_propagator

    dataset = selection.open(root)
    check_truth(dataset)
    target = _target(network, output)
    check_output(target.file)
    loaded = network.load()
    frames = sum(min(len(each.frames), limit or len(each.frames)) for each in dataset)
    with progress_bar("calibrating", frames, unit="frames", quiet=results.quiet) as advance:
        done = iter(range(1, frames + 1))
        table = collect(
            dataset,
            lambda: make_propagator(loaded, segmentation),
            limit,
            lambda name: advance(next(done, frames), name),
        )
    found = calibrated(table)
    used = make_propagator(loaded, segmentation)
    fitted_on = {
        "weights": network.weights,
        "dataset": dataset.name,
        "sequences": [each.name for each in dataset],
        "size": used.size,
        "dtype": str(next(iter(loaded.parameters())).dtype).removeprefix("torch."),
        "correction": None if segmentation.correction is None else asdict(segmentation.correction),
    }
    save_predictor(found, target.file, target.sha256, fitted_on)
    _print(found)
    typer.echo(f"Predictor: {target.file}" + ("" if target.found else f" ({_NOT_FOUND})"))


class _Target(NamedTuple):
    """Where the predictor goes, the SHA-256 of its weights, and whether runs with these weights find it there."""

    file: Path
    sha256: str
    found: bool


_NOT_FOUND = "runs look for it beside the weights: NAME.reliability.safetensors"


def _target(network: NetworkSettings, output: Path | None) -> _Target:
    """Return where the predictor goes.

    Raises:
        ConfigError: the weights are in the package, and no file is named.
        WeightsError: the weights cannot be found or fetched.
    """
    from cyclevos.network.fingerprint import fingerprint
    from cyclevos.network.locating import calibration_file, fetch, locate
    from cyclevos.network.named_weights import Packaged

    located = fetch(locate(network.weights))
    sha256 = fingerprint(located.on_disk())
    if isinstance(located.where, Packaged):
        if output is None:
            raise ConfigError(
                f"The predictor of {network.weights!r} comes with the package.",
                "Name a file by --output to fit another one, for comparison.",
            )
        return _Target(output, sha256, found=False)
    place = calibration_file(located)
    file = output or place
    return _Target(file, sha256, found=file.resolve() == place.resolve())


def _print(found: Calibrated) -> None:
    from rich.console import Console
    from rich.table import Table

    rows = {"calibrated, held out": found.fitted, "uncalibrated": found.formula}
    table = Table("reliability", "Spearman", "within a sequence", "AUROC of J < 0.5", "mean error")
    for name, figures in rows.items():
        values = (figures.spearman, figures.spearman_within, figures.auroc, figures.mean_error)
        table.add_row(name, *("-" if value is None else f"{value:.3f}" for value in values))
    Console().print(table)
    masks, sequences = counted(found.fitted.masks, "mask"), counted(found.sequences, "sequence")
    typer.echo(f"{masks} of {sequences}; J is below 0.5 in {found.failed}.")
    if found.failed < _ENOUGH_FAILURES:
        typer.echo("That is few: what a failure looks like is mostly taken from the packaged predictor.")
    if found.fitted.mean_error >= found.formula.mean_error:
        typer.echo(
            "On held-out sequences the fit is no closer to true J than the formula: give more, or other, videos."
        )
