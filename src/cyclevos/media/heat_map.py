"""A heat map drawn over an image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyclevos.pictures.arrays import UInt8Array


def heat_map(image: UInt8Array, values: NDArray[np.floating[Any]], top: float | None = None) -> UInt8Array:
    """Draw a heat map over a darkened image.

    Args:
        image: uint8 RGB (H, W, 3).
        values: float (H, W), not negative; 0 shows the darkened image alone.
        top: value of the brightest colour; None = the 99.8th percentile of the values.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        ValueError: the sizes differ.
    """
    from matplotlib import colormaps

    if values.shape != image.shape[:2]:
        raise ValueError(f"expected values of shape {image.shape[:2]}, got {values.shape}")
    limit = float(np.quantile(values, 0.998)) if top is None else top
    heat = np.clip(values / limit, 0, 1) if limit > 0 else np.zeros_like(values)
    colours = colormaps["inferno"](heat)[..., :3] * 255  # black at 0
    weight = np.sqrt(heat)[..., None]
    blended = (1 - weight) * (0.45 * image) + weight * colours
    return np.asarray(blended.round(), dtype=np.uint8)
