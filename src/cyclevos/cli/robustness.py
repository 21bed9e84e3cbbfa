"""``cyclevos robustness``: what poor masks cost, and what correction gets back."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from cyclevos.cli import options


class TargetName(str, Enum):
    """What is perturbed."""

    memory = "memory"
    first = "first"


def robustness(
    root: Annotated[Path, typer.Argument(help="Data set: DAVIS, YouTube-VOS, or JPEGImages/Annotations folders.")],
    output: Annotated[Path, typer.Option(help="Folder of the masks, robustness.json and robustness.png.")],
    split: Annotated[str, typer.Option(help="Split to use; all or none: every sequence there is.")] = "val",
    sequences: Annotated[str | None, typer.Option(help="Some sequences, separated by commas.")] = None,
    kinds: Annotated[
        str,
        typer.Option(
            help="Any of box, eroded, dilated, shifted, noisy and run, separated by commas.", show_default="all but run"
        ),
    ] = "box,eroded,dilated,shifted,noisy",
    target: Annotated[
        TargetName, typer.Option(help="Perturb the masks that stay in memory, or the user's own first mask.")
    ] = TargetName.memory,
    share: Annotated[float, typer.Option(help="Share of the memory's masks that are replaced.")] = 0.5,
    other_run: Annotated[Path | None, typer.Option(help="Results whose masks the kind 'run' takes.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the choice of frames and of random perturbations.")] = 0,
    correction: options.CorrectionOption = options.CorrectionName.default,
    correction_set: options.CorrectionSet = None,
    weights: options.Weights = "default",
    size: options.Size = "auto",
    device: options.Device = "auto",
    dtype: options.Dtype = options.DtypeName.auto,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
) -> None:
    """Replace masks by poor ones and measure J&F clean, perturbed, and perturbed with correction.

    Finished sequences are skipped when the command is run again.
    """
    side = options.parse_size(size)
    how = options.parse_correction(correction, correction_set)
    from cyclevos.errors import ConfigError

    if how is None:
        raise ConfigError("--correction off leaves nothing to compare: choose paper or default.")
    import json

    from rich.console import Console
    from rich.table import Table

    from cyclevos.analysis.comparison import save_figure
    from cyclevos.analysis.robustness import Study, outcomes_figure, outcomes_to_json, run_study
    from cyclevos.datasets.layouts import open_dataset
    from cyclevos.files.atomic import output_errors, replacing
    from cyclevos.jobs.progress import progress_bar
    from cyclevos.jobs.segment_job import weights_identity
    from cyclevos.network.weights import load_network

    chosen = options.parse_names(kinds) or ()
    study = Study(chosen, target.value, how, None, share, other_run, seed)
    dataset = open_dataset(root, split, sequences=options.parse_names(sequences))
    network = load_network(weights, device=device, dtype=dtype)
    study = Study(chosen, target.value, how, network.spec.size if side == "auto" else side, share, other_run, seed)
    identity = {"root": str(root.resolve()), "weights": weights_identity(weights), "dtype": dtype.value}
    total = len(dataset) * (1 + 2 * len(chosen))
    with progress_bar("robustness", total, unit="sequences", quiet=quiet) as advance:
        done = iter(range(1, total + 1))
        outcomes = run_study(
            network, dataset, study, output, identity, lambda name: advance(next(done), name), overwrite=overwrite
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
