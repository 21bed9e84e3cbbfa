"""Sizes and resizing: from the source's size to the network's and back."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from cyclevos.errors import ConfigError

# Shapes: C channels, H W pixels.

Size = tuple[int, int]

MINIMUM_SIZE = 16
_WIDEST = 3.0  # aspect ratio; a wider frame is shrunk to the area of this one, to limit the memory used


def network_size(source: Size, shorter_side: int | None) -> Size:
    """Return the size at which a frame is segmented.

    Args:
        source: (H, W) of the frame in pixels.
        shorter_side: of the result in pixels; None = the frame's own size.

    Returns:
        (H, W) with the frame's aspect ratio, to the nearest pixel.

    Raises:
        ConfigError: `shorter_side` is below 16 pixels.

    Example:
        >>> network_size((480, 854), 240)
        (240, 427)
    """
    if shorter_side is None:
        return source
    if shorter_side < MINIMUM_SIZE:
        raise ConfigError(
            f"The size {shorter_side} is too small.", f"Give a shorter side of {MINIMUM_SIZE} pixels or more."
        )
    height, width = source
    scale = shorter_side / min(source)
    if max(source) > _WIDEST * min(source):
        scale = shorter_side * math.sqrt(_WIDEST / (height * width))
    return max(1, round(height * scale)), max(1, round(width * scale))


def resize_frame(frame: Tensor, size: Size) -> Tensor:
    """Resize a frame with antialiasing.

    Args:
        frame: uint8 (3,H,W).
        size: (H, W) of the result.

    Returns:
        float32 (3,H,W) in [0, 1].
    """
    if tuple(frame.shape[-2:]) != size:
        frame = frame if frame.device.type == "cpu" else frame.float()  # only CPUs can resize bytes
        frame = F.interpolate(frame[None], size=size, mode="bilinear", antialias=True)[0]
    return frame.float() / 255


def shrink_probabilities(probabilities: Tensor, size: Size) -> Tensor:
    """Resize soft masks to the network's size, preserving each object's area.

    Args:
        probabilities: (C,H,W) summing to 1 over C.
        size: (H, W) of the result.

    Returns:
        (C,H,W) summing to 1: an area average if it shrinks, bilinear if it grows.
    """
    if tuple(probabilities.shape[-2:]) == size:
        return probabilities
    return F.interpolate(probabilities[None], size=size, mode="bilinear", antialias=True)[0]


def grow_probabilities(probabilities: Tensor, size: Size) -> Tensor:
    """Resize soft masks (C,H,W) to the source's size, bilinearly; the sum over C stays 1."""
    if tuple(probabilities.shape[-2:]) == size:
        return probabilities
    antialias = probabilities.shape[-1] > size[1]
    return F.interpolate(probabilities[None], size=size, mode="bilinear", antialias=antialias)[0]


def frame_tensor(image: NDArray[np.uint8]) -> Tensor:
    """View a uint8 RGB array (H,W,3) as a tensor (3,H,W), copying only arrays that torch cannot view.

    Torch cannot view flipped arrays (BGR turned to RGB by ``[..., ::-1]``) or read-only ones (from Pillow).
    """
    return torch.from_numpy(np.require(image, requirements=["C", "W"])).permute(2, 0, 1)


def padded_length(length: int, multiple: int) -> int:
    """Return the next multiple that is not smaller than a length.

    >>> padded_length(480, 16), padded_length(854, 16)
    (480, 864)
    """
    return -(-length // multiple) * multiple


def pad_to_multiple(maps: Tensor, multiple: int) -> Tensor:
    """Pad maps (B,C,H,W) with zeros so that both sides are multiples of a number.

    The zeros lie on both sides; an odd pixel goes to the bottom or right. Maps that fit are returned as they are.
    """
    height, width = maps.shape[-2:]
    extra_h, extra_w = padded_length(height, multiple) - height, padded_length(width, multiple) - width
    if not extra_h and not extra_w:
        return maps
    top, left = extra_h // 2, extra_w // 2
    return F.pad(maps, (left, extra_w - left, top, extra_h - top))


def without_padding(maps: Tensor, size: Size) -> Tensor:
    """Undo :func:`pad_to_multiple`: return the view (...,H,W) of padded maps, where (H, W) was their size."""
    top, left = (maps.shape[-2] - size[0]) // 2, (maps.shape[-1] - size[1]) // 2
    return maps[..., top : top + size[0], left : left + size[1]]
