"""The objective of prompt networks: its own errors are clicked first, then its answer is compared with the truth."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn
from torch.nn import functional as F

from cyclevos.labels import IGNORE
from cyclevos.prompts.maps import draw_disk
from cyclevos.prompts.network import LookFeatures, PromptNetwork
from cyclevos.prompts.next_click import next_click

# Shapes: B samples, S side of a look in pixels.

PROMPT_PARTS = ("ce", "focal", "iou", "total")
"""Names of the losses."""


class PromptObjectiveConfig(BaseModel):
    """The loss that training minimises, and the clicks that come before it.

    Attributes:
        cross_entropy: factor of the mean cross-entropy.
        focal: factor of the normalised focal loss.
        iou: factor of 1 - soft IoU.
        fed_back: probability that a corrective click sees the mask that it corrects.
        inexact: probability that a corrective click is not at the centre of the error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    cross_entropy: float = Field(2.0, ge=0)
    focal: float = Field(0.3, ge=0)
    iou: float = Field(1.0, ge=0)
    fed_back: float = Field(0.5, ge=0, le=1)
    inexact: float = Field(0.5, ge=0, le=1)


class PromptObjective(nn.Module):
    """A prompt network and its objective as one module.

    Args:
        network: the network.
        config: the loss to minimise.
    """

    def __init__(self, network: nn.Module, config: PromptObjectiveConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config

    def forward(
        self, images: Tensor, targets: Tensor, maps: Tensor, rounds: Tensor, seeds: Tensor
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the named losses of a batch, see :class:`cyclevos.datasets.prompt_samples.PromptBatch`.

        Args:
            images: uint8 (B,3,S,S).
            targets: uint8 (B,S,S).
            maps: float (B,5,S,S).
            rounds: int64 (B,).
            seeds: int64 (B,).

        Returns:
            Losses by name, including ``total``, and the detached logits (B,1,S,S).
        """
        network = cast(PromptNetwork, self.network)
        features = network.encode((images.float() / 255).contiguous(memory_format=torch.channels_last))
        draws = [np.random.default_rng(seed) for seed in seeds.tolist()]
        rounds, maps = rounds.cpu(), maps.clone()
        for done in range(int(rounds.max())):
            rows = torch.nonzero(rounds > done)[:, 0]
            self._click(network, features, targets, maps, rows, draws)
        logits = network.segment(features, maps.contiguous(memory_format=torch.channels_last))
        losses = self._losses(logits[:, 0].float(), targets)
        return losses, logits.detach()

    def _click(
        self,
        network: PromptNetwork,
        features: LookFeatures,
        targets: Tensor,
        maps: Tensor,
        rows: Tensor,
        draws: Sequence[np.random.Generator],
    ) -> None:
        """Add the click that corrects each of some samples' masks to their maps, in place."""
        untouched = maps[rows, 3].flatten(1).any(dim=1) & ~maps[rows, :2].flatten(1).any(dim=1)
        found = maps[rows, 3].clone()  # what is to be repaired counts until the first click
        asked = rows[~untouched.cpu()]
        if len(asked):
            with torch.no_grad():
                found[~untouched] = network.segment(features.select(asked), maps[asked])[:, 0].sigmoid().float()
        for row, mask in zip(rows.tolist(), found, strict=True):
            rng, probabilities = draws[row], mask.cpu().numpy()
            self._click_once(targets[row].cpu().numpy(), probabilities, maps[row], rng)
            if rng.random() < self.config.fed_back:
                maps[row, 3] = mask
            elif row in asked:
                maps[row, 3] = 0

    def _click_once(
        self, target: NDArray[np.uint8], probabilities: NDArray[np.float32], maps: Tensor, rng: np.random.Generator
    ) -> None:
        inexact = rng if rng.random() < self.config.inexact else None
        click = next_click(target == 1, probabilities > 0.5, target != IGNORE, inexact)
        if click is not None:
            channel = 0 if click.positive else 1
            disk = maps[channel].cpu().numpy()  # shares the memory on the CPU
            draw_disk(disk, click.x, click.y)
            maps[channel] = torch.from_numpy(disk)

    def _losses(self, logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
        counted = (targets != IGNORE).float()
        truth = (targets == 1).float()
        pixels = counted.flatten(1).sum(dim=1).clamp(min=1)  # (B,)
        entropy = F.binary_cross_entropy_with_logits(logits, truth, reduction="none") * counted
        probability = logits.sigmoid()
        right = torch.where(truth > 0, probability, 1 - probability)
        focus = ((1 - right) ** 2 * counted).flatten(1)
        with torch.no_grad():  # normalised, so that its weight stays as the network gets better (RITM)
            scale = pixels / focus.sum(dim=1).clamp(min=1e-4)
        focal = (focus * entropy.flatten(1)).sum(dim=1) * scale / pixels
        overlap = (probability * truth * counted).flatten(1).sum(dim=1)
        union = ((probability + truth - probability * truth) * counted).flatten(1).sum(dim=1)
        losses = {
            "ce": self.config.cross_entropy * (entropy.flatten(1).sum(dim=1) / pixels).mean(),
            "focal": self.config.focal * focal.mean(),
            "iou": self.config.iou * (1 - (overlap + 1) / (union + 1)).mean(),
        }
        losses["total"] = torch.stack(list(losses.values())).sum()
        return losses
