"""Islands: pieces of an object's mask that lie away from its largest one, often something else that tracking took.

Shapes: H W pixels of a mask, P its pieces and 0, the background.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pieces import numbered_pieces

_AWAY = 0.5  # of the largest piece's size, the square root of its pixels
_LEAST = 20_000  # of an image's pixels per pixel of the smallest island that counts: 20 at 480p, 104 at 1080p
_LEAST_PIXELS = 6
_FINE = 160  # pixels of the longer side from which on distances are measured on a coarser grid
_SAMPLED = 400  # the same, from which on islands are looked for on a coarser grid


class Pieces(NamedTuple):
    """The connected pieces of a mask; pixels that touch at a corner belong together.

    Attributes:
        labels: (H,W), the number of each pixel's piece, 0 beside them.
        sizes: (P,) pixels of each piece; 0 for the background.
        distances: (P,) pixels between each piece and the largest one; 0 for that and for the background.
    """

    labels: NDArray[np.int32]
    sizes: NDArray[np.int64]
    distances: NDArray[np.float64]


def pieces_of(mask: NDArray[np.bool_]) -> Pieces:
    """Return the pieces of a mask (H,W) with their sizes and distances.

    Example:
        >>> pieces = pieces_of(np.array([[1, 1, 0, 0, 0, 1]], bool))
        >>> pieces.sizes.tolist(), pieces.distances.tolist()
        ([0, 2, 1], [0.0, 0.0, 4.0])
    """
    labels = numbered_pieces(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    distances = np.zeros(len(sizes))
    if len(sizes) > 2:
        distances[1:] = np.inf
        _measure(labels, int(sizes.argmax()), distances)
    return Pieces(labels, sizes, distances)


def _measure(labels: NDArray[np.int32], largest: int, distances: NDArray[np.float64]) -> None:
    """Lower each piece's distance to what it is."""
    from scipy.ndimage import distance_transform_edt

    step = max(1, max(labels.shape) // _FINE)
    height, width = (-(-side // step) for side in labels.shape)
    rows, columns = np.nonzero(labels)
    of = labels[rows, columns]
    outside = np.ones((height, width), np.bool_)
    outside[rows[of == largest] // step, columns[of == largest] // step] = False
    away = step * distance_transform_edt(outside)
    np.minimum.at(distances, of, away[rows // step, columns // step])


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
