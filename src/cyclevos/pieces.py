"""The connected pieces of a mask. Pixels that touch at a corner belong together.

Shapes: H W pixels of a mask.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def numbered_pieces(mask: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Number the pieces of a mask (H,W) from 1; 0 is what is beside them.

    Example:
        >>> numbered_pieces(np.array([[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 1]], bool)).tolist()
        [[1, 0, 0], [0, 1, 0], [0, 0, 0], [0, 0, 2]]
    """
    from scipy.ndimage import label

    labels: NDArray[np.int32] = label(mask, np.ones((3, 3), int))[0]
    return labels
