"""A dry run: takes a few real steps of a configuration and estimates the time and memory of the whole run."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence as Seq
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch

from cyclevos.datasets.layouts import Sequence
from cyclevos.datasets.sources import ClipSource, PseudoClipSource, StillSource, VideoSource
from cyclevos.errors import TrainingError
from cyclevos.files.host import peak_memory
from cyclevos.training.checkpoint import STATE
from cyclevos.training.config import Config
from cyclevos.training.tasks import task_of
from cyclevos.training.trainer import Trainer
from cyclevos.words import counted

_STEPS = 7  # the first two warm up, the last one saves


@dataclass(frozen=True)
class Estimate:
    """Estimated cost of a training run.

    Attributes:
        sources: a line for each data set: its contents and its share of the samples.
        trained: number of trained parameters.
        frozen: number of frozen parameters.
        device: the device that the steps ran on.
        processes: number of processes.
        samples: samples per step, over all processes.
        seconds_per_step: median, without warm-up, checkpoints and validation.
        hours: for all steps.
        memory_mb: peak of a GPU's memory, or of the process on a CPU; None where the system does not report it.
        checkpoint_mb: size of a checkpoint with its full state.
        main: whether this is the main process.
    """

    sources: tuple[str, ...]
    trained: int
    frozen: int
    device: str
    processes: int
    samples: int
    seconds_per_step: float
    hours: float
    memory_mb: float | None
    checkpoint_mb: float
    main: bool


def dry_run(config: Config) -> Estimate:
    """Open all data, build the network, take a few steps and discard them.

    Args:
        config: the run; its output folder is not touched.

    Raises:
        CycleVOSError: any error that a real run would raise at the start.
        TrainingError: a step does not fit into the GPU's memory.
    """
    task = task_of(config)
    task.check()
    short = task.without_validation().model_copy(update={"steps": _STEPS, "checkpoint_every": _STEPS})
    with tempfile.TemporaryDirectory(prefix="cyclevos-dry-run-") as folder:
        trainer = Trainer(short, Path(folder) / "run")
        ends: list[float] = []
        try:
            trainer.run(lambda step, losses: ends.append(time.perf_counter()))
        except torch.cuda.OutOfMemoryError as error:
            raise TrainingError(
                f"A step of {counted(config.batch, 'sample')} does not fit into the GPU's memory.",
                f"Lower {task.cheaper}.",
            ) from error
        saved = sum(file.stat().st_size for file in (Path(folder) / "run" / STATE).rglob("*") if file.is_file())
    between = [after - before for before, after in pairwise(ends[1:-1])]
    parameters = list(trainer.objective.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    mixture = trainer.dataset.mixture
    seconds = median(between)
    peak = _peak_memory(trainer.accelerator.device)
    return Estimate(
        sources=tuple(
            f"{source.root}: {_found(opened)}, {share:.1%} of the samples"
            for source, opened, share in zip(config.data.sources, mixture.sources, mixture.shares.tolist(), strict=True)
        ),
        trained=trained,
        frozen=sum(p.numel() for p in parameters) - trained,
        device=str(trainer.accelerator.device),
        processes=trainer.accelerator.num_processes,
        samples=config.batch * trainer.accelerator.num_processes,
        seconds_per_step=seconds,
        hours=seconds * config.steps / 3600,
        memory_mb=None if peak is None else peak / 2**20,
        checkpoint_mb=saved / 2**20,
        main=trainer.accelerator.is_main_process,
    )


def _found(source: ClipSource) -> str:
    if isinstance(source, VideoSource | PseudoClipSource):
        masks = [len(sequence.annotations) if source.labels == "all" else 1 for sequence in source.sequences]
        found = f"{counted(len(masks), 'sequence')}, {counted(sum(masks), 'annotated frame')}"
        if source.complete:
            return found
        return f"{found}, {counted(_after_the_first(source.sequences), 'unlabelled frame')}"
    if isinstance(source, StillSource):
        return counted(len(source.pairs), "image")
    return type(source).__name__


def _after_the_first(sequences: Seq[Sequence]) -> int:
    """Return the number of frames after the first annotated one, over all sequences."""
    return sum(len(s.frames) - 1 - s.frame_names.index(s.first_annotated) for s in sequences)


def _peak_memory(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return peak_memory()
