"""``cyclevos robustness``: the accuracy that poor masks cost, and how much of it correction recovers."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli import options
from cyclevos.cli.dataset_settings import DatasetSettings
from cyclevos.cli.settings import Only, with_settings
from cyclevos.errors import ConfigError
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.settings import SegmentationSettings

_CORRECTED = SegmentationSettings(correction=Correction.preset("default"))


class TargetName(str, Enum):
    """What is perturbed."""

    memory = "memory"
    first = "first"


@with_settings
def robustness(
    root: Annotated[Path, typer.Argument(help="Data set: DAVIS, YouTube-VOS, or JPEGImages/Annotations folders.")],
    output: Annotated[Path, typer.Option(help="Folder of the masks, robustness.json and robustness.png.")],
    selection: Annotated[DatasetSettings, Only("split", "sequences")],
    network: Annotated[NetworkSettings, Only("weights", "device", "dtype")],
    results: Annotated[OutputSettings, Only("overwrite", "quiet")],
    segmentation: Annotated[SegmentationSettings, Only("size", "correction")] = _CORRECTED,
    kinds: Annotated[
        str,
        typer.Option(
            help="Any of box, eroded, dilated, shifted, noisy and run, separated by commas.", show_default="all but run"
        ),
    ] = "box,eroded,dilated,shifted,noisy",
    target: Annotated[
        TargetName, typer.Option(help="Perturb the masks in memory, or the user's own first mask.")
    ] = TargetName.memory,
    share: Annotated[
        float, typer.Option(help="Share of the masks in memory that are replaced, above 0 and at most 1.")
    ] = 0.5,
    other_run: Annotated[Path | None, typer.Option(help="Folder of results whose masks the kind 'run' uses.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Random seed of the choice of frames and of the perturbations.")] = 0,
) -> None:
    """Replace masks by poor ones and measure J&F clean, perturbed, and perturbed with correction.

    Finished sequences are skipped when the command is run again.
    """
    how = segmentation.correction
    if how is None:
        raise ConfigError("--correction off leaves nothing to compare.", "To compare, choose paper or default.")
    import json

    from rich.console import Console
    from rich.table import Table

    from cyclevos.analysis.comparison import save_figure
    from cyclevos.analysis.robustness import Study, outcomes_figure, outcomes_to_json, run_study
    from cyclevos.files.atomic import output_errors, replacing
    from cyclevos.jobs.progress import progress_bar
    from cyclevos.propagation.inner_size import size_of_any

    chosen = options.parse_names(kinds) or ()
    Study(chosen, target.value, how, None, share, other_run, seed)  # refuses wrong values before anything is loaded
    dataset = selection.open(root)
    loaded = network.load()
    size = size_of_any(segmentation.size, loaded.traits)  # one for all sequences, so that they compare
    study = Study(chosen, target.value, how, size, share, other_run, seed)
    dtype = str(next(loaded.parameters()).dtype).removeprefix("torch.")
    identity = {"root": str(root.resolve()), "weights": network.weights_identity, "dtype": dtype}
    total = len(dataset) * (1 + 2 * len(chosen))
    with progress_bar("robustness", total, unit="sequences", quiet=results.quiet) as advance:
        done = iter(range(1, total + 1))
        outcomes = run_study(
            loaded,
            dataset,
            study,
            output,
            identity,
            lambda name: advance(next(done), name),
            overwrite=results.overwrite,
        )
    report = output / "robustness.json"
    with output_errors(report), replacing(report) as temporary:
        temporary.write_text(json.dumps(outcomes_to_json(outcomes), indent=2) + "\n", encoding="utf-8", newline="\n")
    save_figure(outcomes_figure(outcomes), output / "robustness.png")
    table = Table("perturbed", "kind", "share", "clean J&F", "perturbed", "+ correction", "recovered")
    for o in outcomes:
        figures = (o.clean, o.perturbed, o.corrected)
        table.add_row(
            o.target, o.kind, f"{o.share:g}", *(f"{100 * v:.1f}" for v in figures), f"{100 * o.recovered:+.1f}"
        )
    Console().print(table)
