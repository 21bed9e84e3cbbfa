"""Agreement between several results of one video, without ground truth.

Shapes: H W pixels, R results.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cyclevos.errors import DatasetError
from cyclevos.naming import natural_key, size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_files import read_ground_truth


def object_agreement(results: Sequence[Mapping[str, Path]]) -> dict[int, npt.NDArray[np.float64]]:
    """Measure J between the masks of every two results of one video.

    Args:
        results: each result's mask files by frame name; a frame is compared if both results have it.

    Returns:
        By object id, for all objects in the compared frames: J between result r and result s, (R,R), the mean over
        their frames; two empty masks agree. NaN if two results have no frame in common.

    Raises:
        DatasetError: two masks of one frame differ in size.
        MaskError: a file is not a mask.
    """
    count = len(results)
    pairs = [(r, s) for r in range(count) for s in range(r)]
    frames = np.zeros((count, count))
    sums = np.zeros((256, count, count))
    shown = np.zeros((256, count, count))  # frames in which either result shows the object
    seen = np.zeros(256, bool)
    for name in sorted({name for result in results for name in result}, key=natural_key):
        masks = [read_ground_truth(result[name], binary=True).ids if name in result else None for result in results]
        for r, s in pairs:
            one, other = masks[r], masks[s]
            if one is None or other is None:
                continue
            _check_sizes(one, other, results[r][name], results[s][name])
            intersections, unions = overlaps(one, other)
            frames[r, s] += 1
            sums[:, r, s] += intersections / np.maximum(unions, 1)
            shown[:, r, s] += unions > 0
            seen |= unions > 0
    compared = np.where(frames > 0, frames, np.nan)
    agreement = (sums + frames - shown) / compared  # (256,R,R), below the diagonal
    whole = np.tril(agreement, -1) + np.tril(agreement, -1).transpose(0, 2, 1) + np.eye(count)
    return {int(i): whole[i] for i in np.flatnonzero(seen) if i}


def overlaps(one: UInt8Array, other: UInt8Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Count the pixels of intersection and union of every id, (256,) each, of two masks, uint8 (H,W), in one pass.

    >>> intersections, unions = overlaps(np.array([[1, 1, 2]], np.uint8), np.array([[1, 2, 2]], np.uint8))
    >>> intersections[1:3].tolist(), unions[1:3].tolist()
    ([1, 1], [2, 2])
    """
    joint = np.bincount((one.astype(np.uint16) << 8 | other).ravel(), minlength=256 * 256).reshape(256, 256)
    intersections = np.diagonal(joint)
    return intersections, joint.sum(axis=0) + joint.sum(axis=1) - intersections


def _check_sizes(one: UInt8Array, other: UInt8Array, path: Path, other_path: Path) -> None:
    if one.shape != other.shape:
        raise DatasetError(
            f"{path} is {size_text(one.shape)} but {other_path} is {size_text(other.shape)} (width x height). "
            "Only masks of equal size can be compared.",
            "Write both results in the size of the frames.",
        )
