"""``cyclevos train``: train a network from a configuration."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cyclevos.cli import options
from cyclevos.cli.completion import complete_preset
from cyclevos.words import counted

if TYPE_CHECKING:
    from cyclevos.training.config import Config


def train(
    config: Annotated[
        str,
        typer.Argument(
            help="A YAML file or preset: paper, paper-static, compact, compact-further, compact-context, "
            "compact-crowd; for clicks and boxes prompt, prompt-closer, prompt-further, prompt-settled, prompt-longer, "
            "prompt-larger, prompt-lite2, prompt-lite2-larger.",
            autocompletion=complete_preset,
        ),
    ],
    output: Annotated[Path | None, typer.Option(help="Folder of the run.", show_default="runs/CONFIG")] = None,
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="Override a setting: section.key=value. Repeatable.")
    ] = None,
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Take a few steps, estimate time and memory of the whole run, write nothing."),
    ] = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a network; repeat the command to continue a stopped run.

    For several GPUs or nodes: accelerate launch -m cyclevos train CONFIG.
    """
    from cyclevos.jobs.progress import progress_bar
    from cyclevos.training.config import load_config
    from cyclevos.training.trainer import Trainer

    settings = load_config(config, overrides or [])
    if dry_run:
        _print_estimate(settings)
        return
    folder = output or Path("runs") / Path(config).stem
    trainer = Trainer(settings, folder)
    quiet = quiet or not trainer.accelerator.is_main_process
    with progress_bar("training", settings.steps, unit="steps", quiet=quiet) as advance:

        def report(step: int, losses: dict[str, float]) -> None:
            advance(step, " ".join(f"{name} {value:.3f}" for name, value in losses.items()))

        best = trainer.run(report)
    if trainer.accelerator.is_main_process:
        typer.echo(f"weights: {best}")


def _print_estimate(settings: Config) -> None:
    from cyclevos.training.dry_run import dry_run

    e = dry_run(settings)
    if not e.main:
        return
    kind = "peak GPU memory" if e.device.startswith("cuda") else "peak memory of the process"
    memory = "unknown" if e.memory_mb is None else f"{e.memory_mb:,.0f} MB"
    processes = counted(e.processes, "process", "processes")
    lines = [
        *e.sources,
        f"parameters: {e.trained:,} trained, {e.frozen:,} frozen",
        f"{counted(e.samples, 'sample')} a step ({settings.batch} in each of {processes} on {e.device})",
        f"{e.seconds_per_step:.2f} s a step, {settings.steps:,} steps: {e.hours:.1f} hours without checkpoints and "
        "validation",
        f"{kind}: {memory}; a checkpoint: {e.checkpoint_mb:,.0f} MB",
    ]
    typer.echo("\n".join(lines))
