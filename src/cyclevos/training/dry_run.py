"""A dry run: takes a few real steps of a configuration and estimates the time and memory of the whole run."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

import torch

from cyclevos.datasets.clips import ClipSource, StillSource, VideoSource
from cyclevos.errors import TrainingError
from cyclevos.files.host import peak_memory
from cyclevos.training.checkpoint import STATE
from cyclevos.training.schema import TrainingConfig
from cyclevos.training.trainer import Trainer
from cyclevos.training.validation import open_validation
from cyclevos.words import counted

_STEPS = 7  # the first two warm up, the last one saves


@dataclass(frozen=True)
class Estimate:
    """Estimated cost of a training run.

    Attributes:
        sources: a line for each data set: its contents and its share of the clips.
        trained: number of trained parameters.
        frozen: number of frozen parameters.
        device: the device that the steps ran on.
        processes: number of processes.
        clips: clips per step, over all processes.
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
    clips: int
    seconds_per_step: float
    hours: float
    memory_mb: float | None
    checkpoint_mb: float
    main: bool


def dry_run(config: TrainingConfig) -> Estimate:
    """Open all data, build the network, take a few steps and discard them.

    Args:
        config: the run; its output folder is not touched.

    Raises:
        CycleVOSError: any error that a real run would raise at the start.
        TrainingError: a step does not fit into the GPU's memory.
    """
    if config.validation.root is not None:
        open_validation(config.validation)
    # The sequences stay named: what a run holds back from training is not part of its data.
    no_validation = config.validation.model_copy(update={"root": None})
    changes = {"steps": _STEPS, "checkpoint_every": _STEPS, "validation": no_validation}
    with tempfile.TemporaryDirectory(prefix="cyclevos-dry-run-") as folder:
        trainer = Trainer(config.model_copy(update=changes), Path(folder) / "run")
        ends: list[float] = []
        try:
            trainer.run(lambda step, losses: ends.append(time.perf_counter()))
        except torch.cuda.OutOfMemoryError as error:
            raise TrainingError(
                f"A step does not fit into the GPU's memory: {config.batch} clips of {config.data.length} frames of "
                f"{config.data.augmentation.size}.",
                "Lower batch, data.length or data.augmentation.size, or set objective.cycle_frames=last.",
            ) from error
        saved = sum(file.stat().st_size for file in (Path(folder) / "run" / STATE).rglob("*") if file.is_file())
    between = [after - before for before, after in pairwise(ends[1:-1])]
    parameters = list(trainer.objective.parameters())
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    shares = trainer.dataset.shares.tolist()
    seconds = median(between)
    peak = _peak_memory(trainer.accelerator.device)
    return Estimate(
        sources=tuple(
            f"{source.root}: {_found(opened)}, {share:.1%} of the clips"
            for source, opened, share in zip(config.data.sources, trainer.dataset.sources, shares, strict=True)
        ),
        trained=trained,
        frozen=sum(p.numel() for p in parameters) - trained,
        device=str(trainer.accelerator.device),
        processes=trainer.accelerator.num_processes,
        clips=config.batch * trainer.accelerator.num_processes,
        seconds_per_step=seconds,
        hours=seconds * config.steps / 3600,
        memory_mb=None if peak is None else peak / 2**20,
        checkpoint_mb=saved / 2**20,
        main=trainer.accelerator.is_main_process,
    )


def _found(source: ClipSource) -> str:
    if isinstance(source, VideoSource):
        masks = sum(len(sequence.annotations) for sequence in source.sequences)
        return f"{counted(len(source.sequences), 'sequence')}, {counted(masks, 'annotated frame')}"
    if isinstance(source, StillSource):
        return counted(len(source.pairs), "image")
    return type(source).__name__


def _peak_memory(device: torch.device) -> int | None:
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    return peak_memory()
