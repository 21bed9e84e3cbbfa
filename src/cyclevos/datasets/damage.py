"""Masks with the faults that tracked and painted masks have, as samples of what clicks have to repair."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cyclevos.prompts.next_click import depths

# Shapes: H W pixels.


def damaged(mask: NDArray[np.bool_], others: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.float32]:
    """Return a mask with one or two faults: a part missing, a part too much, a border or a place that is off.

    Args:
        mask: of the object, bool (H,W), with at least one pixel.
        others: pixels of other objects, bool (H,W).
        rng: of all draws.

    Returns:
        Probabilities float32 (H,W), with soft borders; they always show something.
    """
    reach = max(2.0, 0.5 * float(np.sqrt(mask.sum())))
    result = mask
    faults = [_part_missing, _disk_added, _border_moved, _shifted]
    for fault in rng.choice(len(faults), size=int(rng.integers(1, 3)), replace=False):
        faulty = faults[int(fault)](result, reach, rng)
        result = faulty if faulty.any() else result
    if others.any() and rng.random() < 0.5:
        result = result | _piece(others, rng)
    soft: NDArray[np.float32] = ndimage.gaussian_filter(result.astype(np.float32), 1.0)
    return soft


def _part_missing(mask: NDArray[np.bool_], reach: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Cut off what lies on one side of a line through the object, or in a disk."""
    rows, columns = np.nonzero(mask)
    pick = int(rng.integers(len(rows)))
    kept: NDArray[np.bool_]
    if rng.random() < 0.5:
        kept = mask & ~_disk(mask.shape, rows[pick], columns[pick], rng.uniform(0.3, 1.0) * reach)
        return kept
    angle = rng.uniform(0, 2 * np.pi)
    y, x = np.ogrid[: mask.shape[0], : mask.shape[1]]
    side = (y - rows[pick]) * np.sin(angle) + (x - columns[pick]) * np.cos(angle) > 0
    kept = mask & side
    if kept.sum() <= 0.3 * mask.sum():
        kept = mask & ~side
    return kept


def _disk_added(mask: NDArray[np.bool_], reach: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Add a disk at the border, or an island."""
    rows, columns = np.nonzero(mask)
    pick, far = int(rng.integers(len(rows))), rng.uniform(0, 2.5) * reach
    angle = rng.uniform(0, 2 * np.pi)
    row, column = rows[pick] + far * np.sin(angle), columns[pick] + far * np.cos(angle)
    return mask | _disk(mask.shape, row, column, rng.uniform(0.2, 0.8) * reach)


def _border_moved(mask: NDArray[np.bool_], reach: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Grow or shrink the object."""
    by = max(1.0, rng.uniform(0.02, 0.2) * reach)
    if rng.random() < 0.5:
        return np.asarray(ndimage.distance_transform_edt(~mask) <= by)
    return np.asarray(depths(mask) > by)


def _shifted(mask: NDArray[np.bool_], reach: float, rng: np.random.Generator) -> NDArray[np.bool_]:
    """Move the object, as a mask of another frame would lie."""
    by = [round(d) for d in rng.uniform(-0.35, 0.35, 2) * reach]
    moved: NDArray[np.bool_] = ndimage.shift(mask, by, order=0, cval=False)
    return moved


def _piece(others: NDArray[np.bool_], rng: np.random.Generator) -> NDArray[np.bool_]:
    """Return one connected piece of other objects."""
    parts, count = ndimage.label(others)
    return np.asarray(parts == int(rng.integers(1, count + 1)))


def _disk(shape: tuple[int, ...], row: float, column: float, radius: float) -> NDArray[np.bool_]:
    y, x = np.ogrid[: shape[0], : shape[1]]
    return np.asarray((y - row) ** 2 + (x - column) ** 2 <= radius**2)
