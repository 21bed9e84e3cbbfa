"""Islands in results: false pieces of an object's mask, far from everything that is true of the object.

Shapes: H W, the mask's height and width.
"""

from __future__ import annotations

import numpy as np

from cyclevos.evaluation.measures import BoolMask, dilate_by_disk
from cyclevos.pieces import numbered_pieces

LEAST_PIXELS = 50
"""Pixels of the smallest piece that counts as an island."""

NEAR = 16
"""Distance from the true mask, in pixels, up to which a piece is not an island."""


def has_island(prediction: BoolMask, truth: BoolMask) -> bool:
    """Return whether a mask has an island.

    That is a piece of 50 pixels or more of which every pixel is farther than 16 pixels (Euclidean) from every true
    pixel. Pixels that touch at a corner belong to one piece. Where nothing is true, every piece of that size is one.

    Args:
        prediction: (H, W) bool.
        truth: (H, W) bool.

    >>> truth, prediction = np.zeros((20, 60), dtype=bool), np.zeros((20, 60), dtype=bool)
    >>> truth[5:15, 0:10] = prediction[5:15, 0:10] = True
    >>> prediction[5:10, 26:36] = True  # 50 pixels, and 17 from column 9
    >>> has_island(prediction, truth)
    True
    >>> has_island(np.roll(prediction, -1, axis=1), truth)  # 16 pixels
    False
    """
    if int(np.count_nonzero(prediction & ~truth)) < LEAST_PIXELS:
        return False
    rows, columns = np.flatnonzero(prediction.any(axis=1)), np.flatnonzero(prediction.any(axis=0))
    near = tuple(slice(max(side[0] - NEAR, 0), side[-1] + NEAR + 1) for side in (rows, columns))
    pieces, truth = numbered_pieces(prediction[near]), truth[near]
    large = np.bincount(pieces.ravel()) >= LEAST_PIXELS
    large[0] = False
    large[pieces[truth]] = False  # nearly all pieces touch something true, and the next step takes far longer
    if large.any():
        large[pieces[dilate_by_disk(truth, NEAR)]] = False
    return bool(large.any())
