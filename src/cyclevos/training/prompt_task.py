"""Training of prompt networks: objects with their first prompts, corrective clicks, J after each as validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, nn

from cyclevos.datasets.prompt_samples import PromptBatch, PromptDataset, collate_prompts
from cyclevos.errors import ConfigError
from cyclevos.labels import IGNORE
from cyclevos.masks import binary_iou
from cyclevos.media.overlay import blend
from cyclevos.pictures.palette import DAVIS_PALETTE
from cyclevos.prompts.maps import draw_disk
from cyclevos.prompts.network import LookFeatures, PromptNetwork
from cyclevos.prompts.next_click import next_click
from cyclevos.prompts.weights import same_weights, save_prompt_network
from cyclevos.training.prompt_objective import PROMPT_PARTS, PromptObjective
from cyclevos.training.prompt_schema import PromptTrainingConfig
from cyclevos.training.prompt_setup import build_prompt_dataset, build_prompt_network, build_prompt_validation
from cyclevos.training.task import Validation

# Shapes: B samples, S side of a look in pixels.

_CLICKS = 3  # of the validation


class PromptTask:
    """A prompt network in training; see :class:`cyclevos.training.task.Task`."""

    parts = PROMPT_PARTS
    cheaper = "batch or data.draws.size"

    def __init__(self, config: PromptTrainingConfig) -> None:
        self.config = config
        self.workers = config.data.workers
        self._held_back: dict[str, PromptDataset] = {}

    def check(self) -> None:
        """Open what is held back for validation."""
        if self.config.validation.objects:
            self._held_back = build_prompt_validation(self.config)
            if not self._held_back:
                raise ConfigError("Nothing is held back for validation.", "Set validation.objects to 0.")

    def without_validation(self) -> PromptTrainingConfig:
        """Return the configuration without validation; the sequences stay named, so they stay held back."""
        off = self.config.validation.model_copy(update={"objects": 0})
        return self.config.model_copy(update={"validation": off})

    def dataset(self, processes: int) -> PromptDataset:
        """Return the samples of a whole run."""
        return build_prompt_dataset(self.config, processes)

    def network(self) -> PromptNetwork:
        """Return the network that the run starts from."""
        return build_prompt_network(self.config.network)

    def objective(self, network: nn.Module) -> PromptObjective:
        """Return the objective with its corrective clicks."""
        return PromptObjective(network, self.config.objective)

    def collate(self, samples: Any) -> PromptBatch:
        """Stack samples."""
        return collate_prompts(samples)

    def validate(self, network: nn.Module) -> Validation | None:
        """Measure J of objects that are held back, from their box and after 1 to 3 clicks."""
        if not self._held_back:
            return None
        device = next(network.parameters()).device
        scores: dict[str, list[float]] = {}
        training = network.training
        network.eval()
        try:
            for kind, samples in self._held_back.items():
                for index in range(len(samples)):
                    image, target, maps, *_ = samples[index]
                    with torch.no_grad():
                        features = cast(PromptNetwork, network).encode(image[None].to(device).float() / 255)
                    found = _answers(cast(PromptNetwork, network), features, target, maps)
                    for prompt, j in found.items():
                        scores.setdefault(f"{kind}, {prompt}", []).append(j)
        finally:
            network.train(training)
        means = {name: float(np.mean(values)) for name, values in scores.items()}
        return Validation(float(np.mean(list(means.values()))), means)

    def picture(self, batch: Any, outputs: Tensor) -> Tensor:
        """Draw the first sample: its truth above, its answer below."""
        image = batch.images[0].permute(1, 2, 0).cpu().numpy()  # (S,S,3)
        truth = batch.targets[0].cpu().numpy()
        answer = (outputs[0, 0] > 0).cpu().numpy().astype(np.uint8)
        rows = [blend(image, mask, DAVIS_PALETTE) for mask in (np.where(truth == IGNORE, 0, truth), answer)]
        return torch.from_numpy(np.concatenate(rows)).permute(2, 0, 1)

    def save(self, network: nn.Module, path: Path) -> None:
        """Write the weights with their specification."""
        save_prompt_network(cast(PromptNetwork, network), path)

    def holds(self, path: Path, network: nn.Module) -> bool:
        """Return whether a file holds exactly the network's weights."""
        return same_weights(path, cast(PromptNetwork, network))


def _answers(network: PromptNetwork, features: LookFeatures, target: Tensor, maps: Tensor) -> dict[str, float]:
    """Return J from the box, and after each of a few clicks at the centre of the largest error."""
    truth, counted = (target == 1).numpy(), (target != IGNORE).numpy()
    found = _answer(network, features, maps)
    scores = {"box": binary_iou(found & counted, truth)}
    maps = torch.zeros_like(maps)
    found = np.zeros_like(truth)
    for number in range(1, _CLICKS + 1):
        click = next_click(truth, found, counted)
        if click is not None:
            draw_disk(maps[0 if click.positive else 1].numpy(), click.x, click.y)
            found = _answer(network, features, maps)
        scores[f"{number} clicks" if number > 1 else "1 click"] = binary_iou(found & counted, truth)
    return scores


def _answer(network: PromptNetwork, features: LookFeatures, maps: Tensor) -> Any:
    with torch.no_grad():
        device = features.pixels.device
        return (network.segment(features, maps[None].to(device))[0, 0] > 0).cpu().numpy()
