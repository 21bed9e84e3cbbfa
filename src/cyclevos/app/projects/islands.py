"""Islands: pieces of an object's mask that lie away from its largest one, often something else that tracking took."""

from __future__ import annotations

import numpy as np

from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pieces import pieces_of

_AWAY = 0.5  # of the largest piece's size, the square root of its pixels
_LEAST = 20_000  # of an image's pixels per pixel of the smallest island that counts: 20 at 480p, 104 at 1080p
_LEAST_PIXELS = 6
_SAMPLED = 400  # pixels of the longer side from which on islands are looked for on a coarser grid


def islands(ids: UInt8Array) -> dict[int, int]:
    """Return how many pixels of each object lie away from its largest piece; objects without any are left out.

    A piece counts if it is farther from the largest one than half of that one's size, and larger than a few pixels.
    Large masks are looked at on a coarser grid, so that their counts are estimates.

    Example:
        >>> ids = np.zeros((40, 80), np.uint8)
        >>> ids[5:15, 5:15], ids[5:15, 60:64], ids[30:33, 5:15] = 1, 1, 2
        >>> islands(ids)
        {1: 40}
    """
    from scipy.ndimage import find_objects

    step = max(1, max(ids.shape) // _SAMPLED)  # each frame that tracking makes waits for this
    coarse = ids[step // 2 :: step, step // 2 :: step]
    least = max(_LEAST_PIXELS, ids.size // _LEAST) / step**2
    found = {}
    for object_id, box in enumerate(find_objects(coarse), start=1):
        if box is None:
            continue
        _, sizes, distances = pieces_of(coarse[box] == object_id)
        away = (sizes >= least) & (distances > _AWAY * np.sqrt(sizes.max()))
        if away.any():
            found[object_id] = int(sizes[away].sum()) * step**2
    return found
