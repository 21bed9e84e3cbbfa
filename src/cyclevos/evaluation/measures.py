"""The DAVIS measures between two binary masks, and their statistics over a video.

Shapes: H W, the mask's height and width. Masks are bool; other types are read as `!= 0`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

BoolMask = npt.NDArray[np.bool_]

TOLERANCE_OF_DIAGONAL = 0.008
"""Largest distance of a matched boundary pixel, as a share of the image's diagonal (DAVIS)."""


class Statistics(NamedTuple):
    """The statistics of a measure over one video that DAVIS reports, as fractions.

    Attributes:
        mean: over the frames.
        recall: share of frames above 0.5.
        decay: mean of the first quarter minus mean of the last; lower is better.
    """

    mean: float
    recall: float
    decay: float


def region_similarity(prediction: npt.NDArray[Any], truth: npt.NDArray[Any]) -> float:
    """Region similarity J, the intersection over the union of two masks.

    Args:
        prediction: (H, W), bool or non-zero inside the object.
        truth: (H, W), bool or non-zero inside the object.

    Returns:
        J in 0..1; 1 if both masks are empty.

    Raises:
        ValueError: the masks are not 2-D or differ in size.

    >>> region_similarity(np.array([[1, 1, 0]]), np.array([[0, 1, 1]]))
    0.3333333333333333
    """
    prediction, truth = _as_pair(prediction, truth)
    union = int(np.count_nonzero(prediction | truth))
    if union == 0:
        return 1.0
    return int(np.count_nonzero(prediction & truth)) / union


def boundary_f_measure(prediction: npt.NDArray[Any], truth: npt.NDArray[Any], tolerance: int | None = None) -> float:
    """Boundary measure F, the harmonic mean of the precision and recall of the boundary pixels.

    A boundary pixel is matched if the other boundary has a pixel at most `tolerance` away (Euclidean):
    F = 2 P R / (P + R).

    Args:
        prediction: (H, W), bool or non-zero inside the object.
        truth: (H, W), bool or non-zero inside the object.
        tolerance: in pixels; None takes `boundary_tolerance` of the size.

    Returns:
        F in 0..1: 1 if neither mask has a boundary, 0 if only one has.

    Raises:
        ValueError: the masks are not 2-D or differ in size, or the tolerance is negative.

    >>> square = np.zeros((9, 9), dtype=bool)
    >>> square[3:6, 3:6] = True
    >>> boundary_f_measure(square, np.roll(square, 1, axis=1), tolerance=1)
    1.0
    """
    prediction, truth = _as_pair(prediction, truth)
    if tolerance is None:
        tolerance = boundary_tolerance(*truth.shape)
    if tolerance < 0:
        raise ValueError(f"expected a tolerance of 0 or more pixels, got {tolerance}")
    prediction, truth = _crop_to_objects(prediction, truth)
    found, wanted = boundary_map(prediction), boundary_map(truth)
    count_found, count_wanted = int(np.count_nonzero(found)), int(np.count_nonzero(wanted))
    if count_found == 0 or count_wanted == 0:
        return 1.0 if count_found == count_wanted else 0.0
    precision = int(np.count_nonzero(found & dilate_by_disk(wanted, tolerance))) / count_found
    recall = int(np.count_nonzero(wanted & dilate_by_disk(found, tolerance))) / count_wanted
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


def boundary_tolerance(height: int, width: int) -> int:
    """Largest distance of a matched boundary pixel, in pixels: 0.008 of the diagonal, rounded up.

    >>> boundary_tolerance(480, 854)
    8
    """
    return math.ceil(TOLERANCE_OF_DIAGONAL * math.sqrt(height * height + width * width))


def boundary_map(mask: BoolMask) -> BoolMask:
    """Return the boundary of a mask: the pixels that differ from their east, south or south-east neighbour.

    In the last row only the east neighbour counts, and in the last column only the south neighbour.

    Args:
        mask: (H, W) bool.

    Returns:
        (H, W) bool.

    >>> boundary_map(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]], dtype=bool)).astype(int)
    array([[1, 1, 0],
           [1, 1, 0],
           [0, 0, 0]])
    """
    boundary = np.zeros(mask.shape, dtype=np.bool_)
    boundary[:, :-1] = mask[:, :-1] ^ mask[:, 1:]
    boundary[:-1, :] |= mask[:-1, :] ^ mask[1:, :]
    boundary[:-1, :-1] |= mask[:-1, :-1] ^ mask[1:, 1:]
    return boundary


def dilate_by_disk(mask: BoolMask, radius: int) -> BoolMask:
    """Set every pixel whose Euclidean distance to a set pixel is at most `radius`.

    A disk is a stack of horizontal runs, so the mask is widened pixel by pixel, and each width is added to the rows
    where the disk is that wide: a few dozen OR operations instead of a few hundred.

    Args:
        mask: (H, W) bool.
        radius: in pixels, 0 or more.

    Returns:
        (H, W) bool.

    >>> dilate_by_disk(np.array([[0, 0, 0, 1, 0]], dtype=bool), 2).astype(int)
    array([[0, 1, 1, 1, 1]])
    """
    height, width = mask.shape
    dilated = np.zeros_like(mask)
    run = mask.copy()
    rows_of_width: dict[int, list[int]] = {}
    for row in range(min(radius, height - 1) + 1):
        rows_of_width.setdefault(math.isqrt(radius * radius - row * row), []).append(row)
    for half_width in range(radius + 1):
        if 0 < half_width < width:
            wider = run.copy()
            wider[:, 1:] |= run[:, :-1]
            wider[:, :-1] |= run[:, 1:]
            run = wider
        for row in rows_of_width.get(half_width, ()):
            dilated[row:] |= run[: height - row]
            if row:
                dilated[:-row] |= run[row:]
    return dilated


def statistics(values: Iterable[float]) -> Statistics:
    """Return mean, recall and decay of a measure over the frames of a video, as DAVIS computes them.

    A frame without a value (NaN) is left out of mean and decay, and counts as missed in recall. Neighbouring quarters
    share a frame.

    Args:
        values: one per frame in time order, in 0..1.

    Raises:
        ValueError: `values` is empty.

    >>> statistics([1.0, 1.0, 0.5, 0.5, 0.0])
    Statistics(mean=0.6, recall=0.4, decay=0.75)
    """
    per_frame = np.asarray(list(values), dtype=np.float64)
    if per_frame.size == 0:
        raise ValueError("expected a value for at least one frame, got none")
    edges = np.round(np.linspace(1, per_frame.size, 5) + 1e-10).astype(int) - 1
    first, last = per_frame[edges[0] : edges[1] + 1], per_frame[edges[3] : edges[4] + 1]
    return Statistics(
        mean=_mean_of_known(per_frame),
        recall=float(np.mean(per_frame > 0.5)),
        decay=_mean_of_known(first) - _mean_of_known(last),
    )


def _mean_of_known(values: npt.NDArray[np.float64]) -> float:
    """Return the mean of the values that are not NaN; NaN if all are."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else math.nan


def _as_pair(prediction: npt.NDArray[Any], truth: npt.NDArray[Any]) -> tuple[BoolMask, BoolMask]:
    """Check that two masks have the same shape, and return them as bool."""
    if prediction.ndim != 2 or prediction.shape != truth.shape:
        raise ValueError(
            f"expected two masks of one size (H, W), got prediction {prediction.shape} and truth {truth.shape}"
        )
    return prediction.astype(np.bool_, copy=False), truth.astype(np.bool_, copy=False)


def _crop_to_objects(prediction: BoolMask, truth: BoolMask) -> tuple[BoolMask, BoolMask]:
    """Crop both masks to the box around both objects, which leaves their boundaries unchanged.

    A margin of one pixel is kept: boundary pixels lie up to one pixel above and to the left of the object, and the
    empty row below and column to the right keep the crop from acting as the image's edge.
    """
    either = prediction | truth
    rows, columns = np.flatnonzero(either.any(axis=1)), np.flatnonzero(either.any(axis=0))
    if rows.size == 0:
        return prediction[:0, :0], truth[:0, :0]
    window = (slice(max(rows[0] - 1, 0), rows[-1] + 2), slice(max(columns[0] - 1, 0), columns[-1] + 2))
    return prediction[window], truth[window]
