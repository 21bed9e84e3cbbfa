"""Conversions between integer ids and probabilities, and the soft aggregation of objects."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.errors import MaskError

# Shapes: B frames, K objects, H W pixels. Channel 0 of a probability map is the background.

EPSILON = 1e-7


def object_ids(ids: NDArray[np.uint8]) -> tuple[int, ...]:
    """Return the object ids in a mask in ascending order, without the background 0.

    Example:
        >>> object_ids(np.array([[0, 3], [7, 3]], dtype=np.uint8))
        (3, 7)
    """
    return tuple(int(i) for i in np.unique(ids) if i != 0)


def ids_to_probabilities(ids: NDArray[np.uint8], objects: Sequence[int]) -> Tensor:
    """Convert a mask to one-hot probabilities.

    Args:
        ids: (H,W) object ids; ids not among ``objects`` count as background.
        objects: the id of each channel 1..K, all distinct and in 1..255.

    Returns:
        float32 (K+1,H,W), channel 0 the background, summing to 1.

    Raises:
        MaskError: the mask is not (H,W), or the ids are not distinct and in 1..255.

    Example:
        >>> ids_to_probabilities(np.array([[0, 5]], dtype=np.uint8), [5])[:, 0].tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    if ids.ndim != 2:
        raise MaskError(f"A mask must be (H,W) integers, got shape {ids.shape}.", "Give one id for each pixel.")
    if len(set(objects)) != len(objects) or any(not 1 <= i <= 255 for i in objects):
        raise MaskError(
            f"Object ids must be distinct and in 1..255, got {list(objects)}.", "Renumber the objects from 1."
        )
    labels = torch.from_numpy(np.require(ids, requirements=["C", "W"]))  # torch cannot view read-only arrays
    foreground = torch.stack([labels == i for i in objects]) if objects else labels.new_zeros(0, *ids.shape)
    foreground = foreground.float()
    return torch.cat([1 - foreground.sum(dim=0, keepdim=True), foreground])


def one_hot(labels: Tensor, slots: int) -> Tensor:
    """Convert annotations to probabilities; pixels of other labels, such as ``IGNORE``, belong to no channel.

    Args:
        labels: (B,H,W), slots 0..K.
        slots: K.

    Returns:
        float32 (B,K+1,H,W).
    """
    numbers = torch.arange(slots + 1, device=labels.device).view(1, -1, 1, 1)
    return (labels[:, None] == numbers).float()


def probabilities_to_ids(probabilities: Tensor, objects: Sequence[int]) -> NDArray[np.uint8]:
    """Return the most probable object of each pixel.

    Args:
        probabilities: (K+1,H,W).
        objects: the id of each channel 1..K.

    Returns:
        uint8 (H,W); ties go to the background, then to the earlier channel.

    Raises:
        MaskError: the number of channels is not the number of objects plus one.

    Example:
        >>> probabilities_to_ids(torch.tensor([[[0.4]], [[0.6]]]), [9]).tolist()
        [[9]]
    """
    if probabilities.ndim != 3 or probabilities.shape[0] != len(objects) + 1:
        raise MaskError(
            f"Expected probabilities ({len(objects) + 1},H,W) for {len(objects)} objects, "
            f"got {tuple(probabilities.shape)}.",
            "Give one channel for the background and one for each object.",
        )
    return np.asarray(most_probable(probabilities, objects).cpu())


def most_probable(probabilities: Tensor, labels: Sequence[int] | None = None) -> Tensor:
    """Return the label of each pixel's most probable channel.

    Args:
        probabilities: (K+1,H,W).
        labels: of channels 1..K, in 0..255; None = the channel numbers. The label of channel 0 is 0.

    Returns:
        uint8 (H,W); ties go to the background, then to the earlier channel.
    """
    # Channel by channel: torch's arg-max over the first dimension reads memory in strides and is many times slower.
    best = probabilities[0]
    found = torch.zeros_like(best, dtype=torch.uint8)
    for channel, label in zip(probabilities[1:], labels or range(1, len(probabilities)), strict=True):
        found.masked_fill_(channel > best, label)
        best = torch.maximum(best, channel)
    return found


def object_areas(probabilities: Tensor) -> Tensor:
    """Return the soft area of each object in pixels: (B,K+1,H,W) to (B,K)."""
    return probabilities[:, 1:].sum(dim=(-2, -1))


def put_over(
    predicted: Tensor, objects: Sequence[int], annotation: NDArray[np.uint8]
) -> tuple[Tensor, tuple[int, ...]]:
    """Put an annotation over predicted masks.

    Args:
        predicted: probabilities (K+1,H,W).
        objects: the id of each channel 1..K.
        annotation: (H,W) ids; each of its objects gets exactly its pixels.

    Returns:
        Probabilities of all objects, summing to 1, with new objects at the end, and the objects' ids.
    """
    shown = object_ids(annotation)
    everyone = (*objects, *(i for i in shown if i not in objects))
    hard = ids_to_probabilities(annotation, everyone).to(predicted.device)
    merged = torch.zeros_like(hard)
    merged[: len(predicted)] = predicted
    for slot, i in enumerate(objects, start=1):
        if i in shown:
            merged[slot] = 0
    merged *= hard[:1]
    merged[1:] += hard[1:]
    merged[0] = (1 - merged[1:].sum(dim=0)).clamp(min=0)
    return merged, everyone


def soft_aggregation(foreground: Tensor) -> Tensor:
    r"""Merge independent foreground probabilities into logits over background and objects.

    .. math:: p_0 = \prod_k (1 - p_k), \qquad \ell_k = \log \frac{p_k}{1 - p_k}

    All p are clamped to [1e-7, 1 - 1e-7]; a softmax over the logits gives the merged probabilities.

    Args:
        foreground: (..., K, H, W) in [0, 1].

    Returns:
        Logits (..., K+1, H, W), float32 or wider.

    Example:
        >>> soft_aggregation(torch.tensor([[[0.5]]])).softmax(0).flatten().tolist()
        [0.5, 0.5]
    """
    wide = foreground.float() if foreground.dtype in (torch.float16, torch.bfloat16) else foreground
    background = torch.prod(1 - wide, dim=-3, keepdim=True)
    return torch.logit(torch.cat([background, wide], dim=-3), eps=EPSILON)


def binary_iou(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """Return the intersection over union of two binary masks (region similarity J); 1 if both are empty.

    Example:
        >>> binary_iou(np.array([True, True]), np.array([True, False]))
        0.5
    """
    union = np.logical_or(predicted, truth).sum()
    return float(np.logical_and(predicted, truth).sum() / union) if union else 1.0
