"""The cyclic objective: propagate a clip forward, then reconstruct the first mask from each result."""

from __future__ import annotations

from typing import Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch import Tensor, nn

from cyclevos.cycle import cycle_loss
from cyclevos.losses import has_labels, mask_loss
from cyclevos.masks import object_areas, one_hot
from cyclevos.network.stm.features import MemoryCells, MemoryFeatures
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork

# Shapes: B clips, T frames, K object slots, O objects present over all clips, H W pixels.


_NO_FRAMES = 1e-6  # stands for a count of zero, to divide by

PARTS = ("ce", "iou", "cycle_ce", "cycle_iou", "total")
"""Names of the losses."""


class ObjectiveConfig(BaseModel):
    """The loss that training minimises.

    Attributes:
        cycle: add the cyclic terms; false gives the baseline.
        cycle_frames: frames from which the first mask is reconstructed: every predicted frame (the authors' release)
            or only the last one (cheaper).
        cycle_weight: factor of the cyclic terms.
        least_area: from an unlabelled frame, an object is asked for if its predicted mask has at least this share of
            its first area; whether it is still visible is not known.
        hard_fraction: share of the hardest pixels in the cross-entropy.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    cycle: bool = True
    cycle_frames: Literal["all", "last"] = "all"
    cycle_weight: float = Field(1.0, ge=0)
    least_area: float = Field(0.1, gt=0, le=1)
    hard_fraction: float = Field(0.4, gt=0, le=1)


class CyclicObjective(nn.Module):
    """A network and its objective as one module, so that data parallelism wraps both.

    Args:
        network: a space-time memory network.
        config: the loss to minimise.
    """

    def __init__(self, network: nn.Module, config: ObjectiveConfig) -> None:
        super().__init__()
        self.network = network
        self.config = config

    def forward(self, frames: Tensor, labels: Tensor, slots: int) -> tuple[dict[str, Tensor], Tensor]:
        """Compute the named losses of a batch of clips.

        A forward term is the mean over the clips that are labelled in its frame; they are averaged over the frames that
        are labelled in any clip, and are zero if there is none. Cyclic terms need no labels but the first frame's.

        Args:
            frames: uint8 (B,T,3,H,W).
            labels: (B,T,H,W) slots, 255 to ignore; a frame that is 255 everywhere is unlabelled. The first is labelled.
            slots: K.

        Returns:
            Losses by name, including ``total``, and the detached logits (B,T-1,K+1,H,W).
        """
        network = cast(SpaceTimeMemoryNetwork, self.network)
        length = frames.shape[1]
        labels = labels.long()
        images = frames.transpose(0, 1).float() / 255  # (T,B,3,H,W)
        images = images.flatten(0, 1).contiguous(memory_format=torch.channels_last).unflatten(0, images.shape[:2])
        flat = images.flatten(0, 1)
        encoded = network.encode_query(flat)
        clips = [slice(t * len(labels), (t + 1) * len(labels)) for t in range(length)]  # rows of frame t
        queries = [encoded.select(rows) for rows in clips]
        labelled = has_labels(labels)  # (B,T)
        visible = _visible(labels, slots)  # (B,T,K)
        present = visible[:, 0]
        first = labels[:, 0]
        given = one_hot(first, slots)
        remembered = network.prepare_memory(flat, encoded)
        prepared = [remembered.select(rows) for rows in clips]
        memory: list[MemoryFeatures] = [network.encode_memory(prepared[0], given, present)]
        parts: dict[str, list[Tensor]] = {name: [] for name in PARTS[:-1]}
        counts: list[Tensor] = []  # of the clips that are labelled in each frame
        predicted: list[Tensor] = []
        for t in range(1, length):
            key = torch.cat([m.key.flatten(2) for m in memory], dim=2)
            value = torch.cat([m.value.flatten(2) for m in memory], dim=2)
            logits = network.segment(queries[t], MemoryCells(key, value), present).logits
            predicted.append(logits.detach())
            known = present & labelled[:, t, None]
            counts.append(_frames(known))
            ce, iou = mask_loss(logits, labels[:, t], known, self.config.hard_fraction, counts[-1])
            parts["ce"].append(ce)
            parts["iou"].append(iou)
            shown = logits.softmax(dim=1)
            if t < length - 1 or self.config.cycle:
                memory.append(network.encode_memory(prepared[t], shown, present))
            if self.config.cycle and (self.config.cycle_frames == "all" or t == length - 1):
                # An object that has left frame t cannot be reconstructed from it.
                kept = object_areas(shown.detach()) >= self.config.least_area * object_areas(given)
                asked = present & torch.where(labelled[:, t, None], visible[:, t], kept)
                alone, frames = memory[t].select(asked[present]), _frames(asked)
                if bool(asked.any()):
                    ce, iou = cycle_loss(network, alone, queries[0], first, asked, self.config.hard_fraction, frames)
                    parts["cycle_ce"].append(ce * self.config.cycle_weight)
                    parts["cycle_iou"].append(iou * self.config.cycle_weight)
        forward_terms = (torch.stack(counts) > _NO_FRAMES).sum().clamp(min=1)
        losses = {
            name: torch.stack(values).sum() / (length - 1 if name.startswith("cycle") else forward_terms)
            for name, values in parts.items()
            if values
        }
        losses["total"] = torch.stack(list(losses.values())).sum()
        return losses, torch.stack(predicted, dim=1)


def _frames(counted: Tensor) -> Tensor:
    """Return the number of frames that count (B,K), averaged over the processes, as if they shared one large batch."""
    frames = counted.any(dim=1).sum().float()
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        torch.distributed.all_reduce(frames)
        frames /= torch.distributed.get_world_size()
    return frames.clamp(min=_NO_FRAMES)


def _visible(labels: Tensor, slots: int) -> Tensor:
    """Return which slots have pixels: (B,T,H,W) to bool (B,T,K)."""
    numbers = torch.arange(1, slots + 1, device=labels.device)
    return torch.stack([(labels == n).flatten(2).any(dim=2) for n in numbers], dim=2)
