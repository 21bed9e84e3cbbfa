"""The mask loss: cross-entropy of the hardest pixels and soft IoU."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from cyclevos.labels import IGNORE

# Shapes: B frames, K object slots, H W pixels.


class MaskLoss(NamedTuple):
    """The two parts of the mask loss, each a mean over the frames that count.

    Attributes:
        cross_entropy: over channels 0..K, of the hardest share of pixels.
        iou: 1 - soft IoU, averaged over the objects that count.
    """

    cross_entropy: Tensor
    iou: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of both parts."""
        return self.cross_entropy + self.iou


def mask_loss(
    logits: Tensor, labels: Tensor, counted: Tensor, hard_fraction: float = 0.4, frames: Tensor | None = None
) -> MaskLoss:
    """Compute the mask loss of a segmentation.

    Args:
        logits: (B,K+1,H,W) as :meth:`SpaceTimeMemoryNetwork.segment` gives.
        labels: int64 (B,H,W), slots 0..K or ``IGNORE``.
        counted: bool (B,K), the objects that count; pixels of the others are background, because the network cannot
            know these objects. A frame in which no object counts adds nothing.
        hard_fraction: share of pixels to average, those with the highest cross-entropy.
        frames: number of frames to divide by, for batches that are split over processes; None = the frames that
            count.

    Returns:
        Both parts; zero, with a gradient of zero, if no frame counts.

    Raises:
        ValueError: the shapes do not match, or the fraction is not in (0, 1].
    """
    if logits.shape[1] != counted.shape[1] + 1 or logits.shape[-2:] != labels.shape[-2:]:
        raise ValueError(
            f"expected logits (B,K+1,H,W), labels (B,H,W), counted (B,K); got {tuple(logits.shape)}, "
            f"{tuple(labels.shape)}, {tuple(counted.shape)}"
        )
    if not 0 < hard_fraction <= 1:
        raise ValueError(f"expected hard_fraction in (0, 1], got {hard_fraction}")
    counted = counted.to(logits.device, non_blocking=True)
    counts = counted.any(dim=1)  # (B,)
    weights = counts.to(logits.dtype) / (counts.sum().clamp(min=1) if frames is None else frames)
    target = counted_labels(labels, counted)
    entropy = hard_cross_entropy(logits, target, hard_fraction)  # (B,)
    overlap = soft_iou(logits.softmax(dim=1)[:, 1:], target)  # (B,K)
    per_frame = (overlap * counted).sum(dim=1) / counted.sum(dim=1).clamp(min=1)
    return MaskLoss((entropy * weights).sum(), ((1 - per_frame) * weights).sum())


def has_labels(labels: Tensor) -> Tensor:
    """Return which frames have a label: those of which a pixel is not ``IGNORE``.

    Args:
        labels: integers (...,H,W).

    Returns:
        bool (...).

    Example:
        >>> has_labels(torch.tensor([[[255, 255]], [[255, 0]]])).tolist()
        [False, True]
    """
    return (labels != IGNORE).flatten(-2).any(dim=-1)


def counted_labels(labels: Tensor, counted: Tensor) -> Tensor:
    """Turn the pixels of objects that do not count into background; ``IGNORE`` stays.

    Args:
        labels: int64 (B,H,W).
        counted: bool (B,K).

    Returns:
        int64 (B,H,W).
    """
    b, k = counted.shape
    counted = counted.to(labels.device, non_blocking=True)
    table = torch.zeros(b, IGNORE + 1, dtype=labels.dtype, device=labels.device)
    table[:, IGNORE] = IGNORE
    slots = torch.arange(1, k + 1, device=labels.device, dtype=labels.dtype)
    table[:, 1 : k + 1] = slots * counted
    return table.gather(1, labels.flatten(1)).view_as(labels)


def hard_cross_entropy(logits: Tensor, labels: Tensor, fraction: float) -> Tensor:
    """Return the mean cross-entropy of the hardest pixels of each frame.

    Args:
        logits: (B,K+1,H,W).
        labels: int64 (B,H,W), ``IGNORE`` left out.
        fraction: share of the frame's pixels to average, in (0, 1].

    Returns:
        (B,), non-negative.
    """
    entropy = F.cross_entropy(logits, labels, ignore_index=IGNORE, reduction="none").flatten(1)
    kept = max(1, round(entropy.shape[1] * fraction))
    if kept == entropy.shape[1]:
        return entropy.mean(dim=1)
    return entropy.topk(kept, dim=1, sorted=False).values.mean(dim=1)


def soft_iou(foreground: Tensor, labels: Tensor) -> Tensor:
    """Return the soft IoU of each object: sum of minima over sum of maxima.

    Args:
        foreground: probabilities (B,K,H,W).
        labels: int64 (B,H,W), pixels of ``IGNORE`` left out.

    Returns:
        (B,K) in [0, 1]; 1 if prediction and truth are both empty.
    """
    k = foreground.shape[1]
    slots = torch.arange(1, k + 1, device=labels.device).view(1, k, 1, 1)
    truth = (labels[:, None] == slots).to(foreground.dtype)
    scored = (labels != IGNORE)[:, None].to(foreground.dtype)
    predicted = foreground * scored
    intersection = torch.minimum(predicted, truth).sum(dim=(-2, -1))
    union = torch.maximum(predicted, truth).sum(dim=(-2, -1))
    return (intersection + 1e-6) / (union + 1e-6)
