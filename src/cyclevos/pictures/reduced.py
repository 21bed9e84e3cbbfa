"""Pictures and masks made smaller, for pages that show them smaller than they are.

Shapes: H height, W width; h and w of the smaller ones.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from cyclevos.pictures.arrays import UInt8Array


def reduced_size(size: tuple[int, int], width: int) -> tuple[int, int]:
    """Return the (h, w) that a picture of `size` (H, W) has at a width: it keeps its shape and never grows.

    A half is rounded up, as the page does.

    >>> reduced_size((2160, 3840), 960), reduced_size((480, 854), 960), reduced_size((534, 1280), 960)
    ((540, 960), (480, 854), (401, 960))
    """
    if width >= size[1]:
        return size
    return max(1, (2 * size[0] * width + size[1]) // (2 * size[1])), width


def reduced_image(image: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """Return RGB uint8 (H,W,3) at a smaller size (h, w): a pixel is the mean of those that it stands for."""
    resized = Image.fromarray(image).resize(size[::-1], Image.Resampling.BOX, reducing_gap=1)
    return np.asarray(resized, np.uint8)


def reduced_ids(ids: UInt8Array, size: tuple[int, int]) -> UInt8Array:
    """Return a mask uint8 (H,W) at a smaller size (h, w), by nearest neighbour: its ids stay ids.

    >>> reduced_ids(np.arange(16, dtype=np.uint8).reshape(4, 4), (2, 2))
    array([[ 5,  7],
           [13, 15]], dtype=uint8)
    """
    return np.asarray(Image.fromarray(ids).resize(size[::-1], Image.Resampling.NEAREST), np.uint8)
