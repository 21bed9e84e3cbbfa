"""``cyclevos train``: train a network from a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def train(
    config: Annotated[str, typer.Argument(help="YAML file, or a preset: paper, paper-static, compact.")],
    output: Annotated[Path | None, typer.Option(help="Folder of the run [default: runs/CONFIG].")] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="section.key=value, as often as needed.")] = None,
    quiet: Annotated[bool, typer.Option(help="No progress bar.")] = False,
) -> None:
    """Train a network; the same command again continues a stopped run.

    For several GPUs or nodes: accelerate launch -m cyclevos train CONFIG.
    """
    from cyclevos.jobs.progress import progress_bar
    from cyclevos.training.config import load_config
    from cyclevos.training.trainer import Trainer

    settings = load_config(config, overrides or [])
    folder = output or Path("runs") / Path(config).stem
    trainer = Trainer(settings, folder)
    quiet = quiet or not trainer.accelerator.is_main_process
    with progress_bar("training", settings.steps, unit="steps", quiet=quiet) as advance:

        def report(step: int, losses: dict[str, float]) -> None:
            advance(step, " ".join(f"{name} {value:.3f}" for name, value in losses.items()))

        best = trainer.run(report)
    if trainer.accelerator.is_main_process:
        typer.echo(f"weights: {best}")
