"""The next click of a simulated user: at the centre of the largest error. Shapes: H W pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cyclevos.prompts.boxes import bounds
from cyclevos.prompts.prompts import Click


def next_click(
    truth: NDArray[np.bool_],
    found: NDArray[np.bool_],
    counted: NDArray[np.bool_] | None = None,
    rng: np.random.Generator | None = None,
) -> Click | None:
    """Return the click that a user would make next: in the wrong pixel farthest from the border of its error.

    This is the usual protocol of interactive segmentation. Missing pixels and surplus pixels are separate errors; the
    edge of the picture and pixels that do not count are borders. Of pixels equally far, the first one in reading order
    is chosen, and a missing one before a surplus one, so the same masks always give the same click.

    Args:
        truth: the object, bool (H,W).
        found: the mask so far, bool (H,W).
        counted: pixels that count, bool (H,W); None = all of them.
        rng: for a user who is less exact, and clicks anywhere at least half as deep in the same error; None = exact.

    Returns:
        The click in the centre of its pixel, positive if the object is missing there; None if no pixel is wrong.

    >>> found = np.zeros((5, 7), bool)
    >>> truth = found.copy()
    >>> truth[1:4, 2:5] = True
    >>> next_click(truth, found)
    Click(x=3.5, y=2.5, positive=True)
    """
    missing, surplus = truth & ~found, found & ~truth
    if counted is not None:
        missing, surplus = missing & counted, surplus & counted
    depth, row, column = _deepest(missing)
    depth_of_surplus, row_of_surplus, column_of_surplus = _deepest(surplus)
    if depth == depth_of_surplus == 0:
        return None
    if depth < depth_of_surplus:
        row, column = row_of_surplus, column_of_surplus
    positive = depth >= depth_of_surplus
    if rng is not None:
        row, column = _near(missing if positive else surplus, row, column, rng)
    return Click(column + 0.5, row + 0.5, positive)


def depths(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return how far each pixel of a mask (H,W) lies from its border, which the picture's edge is too; 0 outside."""
    found: NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    return found


def _deepest(error: NDArray[np.bool_]) -> tuple[float, int, int]:
    """Return the distance of the pixel farthest from the border of an error (0 if there is none), its row, column."""
    box = bounds(error)
    if box is None:
        return 0.0, 0, 0
    left, top, right, bottom = map(int, box)
    depth = depths(error[top:bottom, left:right])
    row, column = divmod(int(depth.argmax()), depth.shape[1])
    return float(depth[row, column]), top + row, left + column


def _near(error: NDArray[np.bool_], row: int, column: int, rng: np.random.Generator) -> tuple[int, int]:
    """Return a random pixel at least half as deep as a pixel, in the same connected part of an error."""
    parts, _ = ndimage.label(error)
    depth = depths(parts == parts[row, column])
    rows, columns = np.nonzero(depth >= depth[row, column] / 2)
    pick = int(rng.integers(len(rows)))
    return int(rows[pick]), int(columns[pick])
