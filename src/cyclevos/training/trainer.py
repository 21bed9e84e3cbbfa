"""The training engine: minimises the objective of a task with Accelerate, with full-state checkpoints."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset, Subset

from cyclevos.errors import MissingExtraError, TrainingError
from cyclevos.files.atomic import remove_leftovers
from cyclevos.files.records import append_record, keep_records
from cyclevos.training.checkpoint import CheckpointFolder, RunProgress, reason
from cyclevos.training.claim import check_claim, claim
from cyclevos.training.processes import PATIENCE, together
from cyclevos.training.schema import RunConfig
from cyclevos.training.setup import build_optimiser, build_schedule
from cyclevos.training.tasks import task_of

logger = logging.getLogger(__name__)

Progress = Callable[[int, dict[str, float]], None]

LAST, BEST = "last.safetensors", "best.safetensors"
VALIDATIONS = "validation.jsonl"
_AVERAGE = "average.pt"  # in the checkpoint


class Trainer:
    """One training run in one folder.

    The folder holds ``config.json``, ``checkpoint/`` (full state), ``last.safetensors``, ``best.safetensors``,
    ``validation.jsonl`` and the files of tensorboard.

    Args:
        config: the configuration of the run.
        output: its folder; a run found there is continued if it has the same configuration.

    Raises:
        OutputError: the folder holds a run with another configuration.
        ConfigError: validation is configured without the names of its sequences.
        DatasetError: a source or a validation sequence is missing.
        MissingExtraError: Accelerate or tensorboard is not installed.
    """

    def __init__(self, config: RunConfig, output: Path) -> None:
        accelerate = _accelerate()
        self.config, self.output = config, output
        self.accelerator: Any = accelerate.Accelerator(
            mixed_precision=config.precision,
            log_with="tensorboard",
            project_dir=str(output),
            kwargs_handlers=[accelerate.utils.InitProcessGroupKwargs(timeout=PATIENCE)],
        )
        check_claim(output, config)
        self.task = task_of(config)
        self.task.check()  # now, not after a thousand steps
        self.dataset = self.task.dataset(self.accelerator.num_processes)  # before ImageNet weights are downloaded
        accelerate.utils.set_seed(config.seed)
        to_channels_last: Any = self.task.network().to
        network: nn.Module = to_channels_last(memory_format=torch.channels_last)
        objective = self.task.objective(network).train()
        optimiser = build_optimiser(objective, config.optimiser)
        self.schedule = build_schedule(optimiser, config.optimiser, config.steps)
        self.objective, self.optimiser = self.accelerator.prepare(objective, optimiser)
        self.average = self._average(network)
        self.accelerator.register_for_checkpointing(self.schedule)
        self.checkpoint = CheckpointFolder(output)
        self.step = 0
        self.best = -1.0
        # Last, so that a folder is taken only by a run whose data and network are available.
        together(self.accelerator, lambda: claim(output, config))

    @property
    def network(self) -> nn.Module:
        """The network with the weights that are validated and saved."""
        if self.average is not None:
            return self.average.module
        module: nn.Module = self.accelerator.unwrap_model(self.objective).network
        return module

    def run(self, progress: Progress | None = None) -> Path:
        """Train to the last step and return the file of the best weights (of the last ones, without validation).

        Args:
            progress: called after every step and its checkpoint, with the step's number and the losses by name; an
                exception that it raises ends the run, which can be continued.

        Raises:
            TrainingError: a loss is not finite (the message lists its parts), or the run to continue used another
                number of processes or has a damaged checkpoint.
            OutputError: a file cannot be written.
        """
        self._resume()
        # A continued run repeats the steps after its checkpoint: hide what was logged for them the first time.
        self.accelerator.init_trackers("tensorboard", init_kwargs={"tensorboard": {"purge_step": self.step + 1}})
        try:
            for batch in self._loader():
                losses, outputs = self._step(batch)
                self.step += 1
                self._record(losses, batch, outputs)
                if progress is not None:
                    progress(self.step, losses)
        finally:
            self.accelerator.end_training()
        return self.output / (BEST if (self.output / BEST).is_file() else LAST)

    def _step(self, batch: Any) -> tuple[dict[str, float], Tensor]:
        losses, outputs = self.objective(*batch)
        values = self._mean(losses)
        if not math.isfinite(values["total"]):
            parts = ", ".join(f"{name}={value:g}" for name, value in values.items())
            raise TrainingError(
                f"The loss of step {self.step + 1} is not finite: {parts}. The last checkpoint is kept in "
                f"{self.checkpoint.path}.",
                "Lower optimiser.lr, set optimiser.clip_norm, or use precision 'no'.",
            )
        self.accelerator.backward(losses["total"])
        if self.config.optimiser.clip_norm is not None:
            self.accelerator.clip_grad_norm_(self.objective.parameters(), self.config.optimiser.clip_norm)
        self.optimiser.step()
        self.schedule.step()
        self.optimiser.zero_grad()
        if self.average is not None:
            self.average.update_parameters(self.accelerator.unwrap_model(self.objective).network)
        return values, outputs

    def _mean(self, losses: dict[str, Tensor]) -> dict[str, float]:
        """Average over the processes; a part of the loss that is missing in all processes is left out."""
        if self.accelerator.num_processes == 1:
            return {name: float(value.detach()) for name, value in losses.items()}
        absent = losses["total"].new_full((), -1.0)
        parts = torch.stack([losses.get(name, absent).detach().float() for name in self.task.parts])
        gathered = self.accelerator.gather(parts[None])  # (processes, parts)
        there = (gathered != -1).any(dim=0)
        means = torch.where(gathered == -1, 0.0, gathered).mean(dim=0)
        return {name: float(means[i]) for i, name in enumerate(self.task.parts) if bool(there[i])}

    def _record(self, losses: dict[str, float], batch: Any, outputs: Tensor) -> None:
        config, last = self.config, self.step == self.config.steps
        if self.step % config.log_every == 0 or last:
            scalars = {f"loss/{name}": value for name, value in losses.items()}
            self.accelerator.log({**scalars, "lr": self.schedule.get_last_lr()[-1]}, step=self.step)
        if self.step % config.validation.every == 0 or last:
            together(self.accelerator, lambda: self._validate(batch, outputs))
        if self.step % config.checkpoint_every == 0 or last:
            self._save()

    def _validate(self, batch: Any, outputs: Tensor) -> None:
        result = self.task.validate(self.network)
        if result is None:
            return
        self.accelerator.log({"validation/J": result.mean}, step=self.step)
        writer = self.accelerator.get_tracker("tensorboard").writer
        writer.add_image("sample/prediction", self.task.picture(batch, outputs), self.step)
        record = {"step": self.step, "J": result.mean, "sequences": result.sequences}
        append_record(self.output / VALIDATIONS, record)
        logger.info("step %d: validation J %.4f", self.step, result.mean)
        if result.mean > self.best:
            self.best = result.mean
            self.task.save(self.network, self.output / BEST)

    def _save(self) -> None:
        """Write the full state next to the old one, then the last weights, then swap the states.

        A kill before the swap makes the continued run repeat the steps since the old state, and write the last weights
        again. After the swap, nothing is left to write.
        """
        folder = self.checkpoint
        together(self.accelerator, folder.clear)
        # Every process writes its own files.
        together(self.accelerator, lambda: self.accelerator.save_state(str(folder.partial)), main_only=False)
        together(self.accelerator, self._swap)

    def _swap(self) -> None:
        if self.average is not None:
            torch.save(self.average.state_dict(), self.checkpoint.partial / _AVERAGE)
        self.checkpoint.complete(RunProgress(self.step, self.best, self.accelerator.num_processes))
        self.task.save(self.network, self.output / LAST)
        self.checkpoint.swap()

    def _resume(self) -> None:
        together(self.accelerator, self.checkpoint.repair)
        progress = self.checkpoint.read_progress()
        if progress is not None:
            if progress.processes not in (None, self.accelerator.num_processes):
                raise TrainingError(
                    f"{self.output} was trained by {progress.processes} processes, but now there are "
                    f"{self.accelerator.num_processes}: the samples would differ.",
                    f"Continue it with {progress.processes}, or start a new run in another --output.",
                )
            together(self.accelerator, self._load, main_only=False)
            self.step, self.best = progress.step, progress.best
            logger.info("continuing from step %d", self.step)
        together(self.accelerator, self._tidy)

    def _load(self) -> None:
        folder = self.checkpoint.path
        try:
            self.accelerator.load_state(str(folder))
            if self.average is not None:
                average = torch.load(folder / _AVERAGE, map_location="cpu", weights_only=True)
                self.average.load_state_dict(average)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # Accelerate and torch raise almost any exception on files that do not fit
            raise self.checkpoint.unusable(f"{folder} cannot be loaded ({reason(error)}).") from error

    def _tidy(self) -> None:
        """Bring the other files of the folder to the step that the run continues from."""
        remove_leftovers(self.output)
        # The continued run writes the later lines again.
        keep_records(self.output / VALIDATIONS, lambda record: _is_of(record, self.step))
        # No step is left that would write them, should they be lost or stale.
        if self.step >= self.config.steps and not self.task.holds(self.output / LAST, self.network):
            self.task.save(self.network, self.output / LAST)

    def _loader(self) -> Any:
        """Return samples from the current step on; sample n is the same whenever it is drawn."""
        done = self.step * self.config.batch * self.accelerator.num_processes
        workers = self.task.workers
        loader: DataLoader[Any] = DataLoader(
            Subset(cast("Dataset[Any]", self.dataset), range(done, len(self.dataset))),
            batch_size=self.config.batch,
            shuffle=False,
            drop_last=True,
            collate_fn=self.task.collate,
            num_workers=workers,
            persistent_workers=workers > 0,
            prefetch_factor=4 if workers else None,
        )
        return self.accelerator.prepare(loader)

    def _average(self, network: nn.Module) -> AveragedModel | None:
        decay = self.config.optimiser.ema
        if decay is None:
            return None
        # A smaller decay at the start, when the network changes most, keeps the averaged weights up to date.
        ema = get_ema_multi_avg_fn(decay)

        def warm(averaged: Any, current: Any, count: Any) -> None:
            early = (1 + float(count)) / (10 + float(count))
            (ema if early > decay else get_ema_multi_avg_fn(early))(averaged, current, count)

        average = AveragedModel(network, multi_avg_fn=warm)
        return average.requires_grad_(False)


def _is_of(record: Mapping[str, Any], steps: int) -> bool:
    """Return whether a validation belongs to the first `steps` steps."""
    step = record.get("step")
    return isinstance(step, int | float) and step <= steps


def _accelerate() -> Any:
    try:
        import accelerate
        import tensorboard  # noqa: F401 (Accelerate imports it later, and its error has no remedy)
    except ImportError as error:
        raise MissingExtraError.of("Training", error.name, "cyclevos[train]") from error
    return accelerate
