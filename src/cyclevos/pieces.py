"""The connected pieces of a mask. Pixels that touch at a corner belong together.

Shapes: H W pixels of a mask, P its pieces and 0, the background.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-4  # of the picture's pixels: smaller pieces are specks
_AWAY = 1 / 24  # of the picture's shorter side: nearer pieces may be parts that something thin hides from the rest
_FINE = 160  # pixels of the longer side from which on distances are measured on a coarser grid


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


def numbered_pieces(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the pieces of a mask (H,W) from 1; 0 is what is beside them.

    Example:
        >>> numbered_pieces(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]], bool)).tolist()
        [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 2]]
    """
    from scipy.ndimage import label

    labels: NDArray[np.int32] = label(mask, np.ones((3, 3), int))[0]
    return labels


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


def far_pieces(pieces: Pieces) -> NDArray[np.intp]:
    """Return the numbers of the pieces that lie far from the largest one and are no specks, the largest first."""
    labels, sizes, distances = pieces
    far = np.flatnonzero((sizes >= _LEAST * labels.size) & (distances > _AWAY * min(labels.shape)))
    return far[np.argsort(-sizes[far])]


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
