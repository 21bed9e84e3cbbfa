"""Training of video networks: clips, the cyclic objective, propagation as validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from cyclevos.datasets.clips import ClipBatch, ClipDataset, collate
from cyclevos.network.stm.checkpoints import holds_weights, save_weights
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.training.objective import PARTS, CyclicObjective
from cyclevos.training.schema import TrainingConfig
from cyclevos.training.setup import build_dataset, build_trained_network
from cyclevos.training.task import Validation
from cyclevos.training.validation import open_validation, sample_picture, validate


class VideoTask:
    """A space-time memory network in training; see :class:`cyclevos.training.task.Task`."""

    parts = PARTS
    cheaper = "batch, data.length or data.augmentation.size, or set objective.cycle_frames=last"

    def __init__(self, config: TrainingConfig) -> None:
        self.config = config
        self.workers = config.data.workers

    def check(self) -> None:
        """Report a wrong name of a validation sequence."""
        if self.config.validation.root is not None:
            open_validation(self.config.validation)

    def without_validation(self) -> TrainingConfig:
        """Return the configuration without validation; the sequences stay named, so they stay held back."""
        off = self.config.validation.model_copy(update={"root": None})
        return self.config.model_copy(update={"validation": off})

    def dataset(self, processes: int) -> ClipDataset:
        """Return the clips of a whole run."""
        return build_dataset(self.config, processes)

    def network(self) -> SpaceTimeMemoryNetwork:
        """Return the network that the run starts from."""
        return build_trained_network(self.config.network, self.config.size)

    def objective(self, network: nn.Module) -> CyclicObjective:
        """Return the cyclic objective."""
        return CyclicObjective(network, self.config.objective)

    def collate(self, samples: Any) -> ClipBatch:
        """Stack clips."""
        return collate(samples)

    def validate(self, network: nn.Module) -> Validation | None:
        """Measure J over the validation sequences."""
        return None if self.config.validation.root is None else validate(network, self.config.validation)

    def picture(self, batch: Any, outputs: Tensor) -> Tensor:
        """Draw the first clip with its prediction."""
        return sample_picture(cast(ClipBatch, batch), outputs)

    def save(self, network: nn.Module, path: Path) -> None:
        """Write the weights with their specification."""
        save_weights(cast(SpaceTimeMemoryNetwork, network), path)

    def holds(self, path: Path, network: nn.Module) -> bool:
        """Return whether a file holds exactly the network's weights."""
        return holds_weights(path, cast(SpaceTimeMemoryNetwork, network))
