"""Which objects a mask shows, and which of them a stroke was about.

Shapes: H W pixels of a mask.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from cyclevos.pictures.arrays import UInt8Array


def painted_objects(before: UInt8Array, after: UInt8Array) -> frozenset[int]:
    """Return the objects that a stroke was about: those that gained pixels, and those that lost some to the background.

    An object that another one was painted over was not meant.

    Args:
        before: the mask, uint8 (H,W).
        after: the same after the stroke.

    >>> sorted(painted_objects(np.array([[1, 1, 2]], np.uint8), np.array([[3, 1, 0]], np.uint8)))
    [2, 3]
    """
    changed = before != after
    gained = after[changed]
    erased = before[changed & (after == 0)]
    return frozenset(int(i) for i in np.unique(np.concatenate([gained, erased])) if i)


def areas(ids: UInt8Array) -> dict[int, int]:
    """Return the number of pixels of each object that a mask, uint8 (H,W), shows, by id.

    >>> areas(np.array([[0, 3, 3]], np.uint8))
    {3: 2}
    """
    counts = Image.fromarray(ids).histogram()  # a third of numpy's time
    return {i: count for i, count in enumerate(counts) if i and count}
