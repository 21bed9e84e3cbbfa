"""Perturbations of masks that resemble real errors."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter

from cyclevos.masks import object_ids

# Shapes: H W pixels. Every function takes and returns uint8 ids (H,W).

Ids = NDArray[np.uint8]
Perturbation = Callable[[Ids, np.random.Generator], Ids]

_AMOUNT = 0.15  # how far masks are changed, as a share of the square root of an object's area


def box(ids: Ids, rng: np.random.Generator) -> Ids:
    """Replace every object with its tight bounding box; smaller objects cover larger ones."""
    del rng
    boxed = np.zeros_like(ids)
    for i in sorted(object_ids(ids), key=lambda i: -int((ids == i).sum())):
        rows, columns = np.nonzero(ids == i)
        boxed[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = i
    return boxed


def eroded(ids: Ids, rng: np.random.Generator) -> Ids:
    """Shrink every object by a margin; an object that is too thin keeps its innermost pixels."""
    del rng
    worse = np.zeros_like(ids)
    for i in object_ids(ids):
        depth = _depth(ids == i)
        worse[depth > min(_reach(ids == i), float(depth.max()) - 0.5)] = i
    return worse


def dilated(ids: Ids, rng: np.random.Generator) -> Ids:
    """Grow every object by a margin, over background only."""
    del rng
    worse = np.array(ids, np.uint8)
    for i in object_ids(ids):
        worse[(_depth(ids != i) <= _reach(ids == i)) & (worse == 0)] = i
    return worse


def shifted(ids: Ids, rng: np.random.Generator) -> Ids:
    """Move every object in its own random direction."""
    worse = np.zeros_like(ids)
    for i in object_ids(ids):
        angle, reach = rng.uniform(0, 2 * np.pi), _reach(ids == i)
        rows, columns = np.nonzero(ids == i)
        rows = rows + round(reach * np.sin(angle))
        columns = columns + round(reach * np.cos(angle))
        inside = (rows >= 0) & (rows < ids.shape[0]) & (columns >= 0) & (columns < ids.shape[1])
        worse[rows[inside], columns[inside]] = i
    return worse


def noisy(ids: Ids, rng: np.random.Generator) -> Ids:
    """Displace every object's edge at random, inwards and outwards."""
    worse = np.zeros_like(ids)
    for i in object_ids(ids):
        reach = _reach(ids == i)
        noise = gaussian_filter(rng.standard_normal(ids.shape), max(1.0, reach / 2))
        noise *= reach / max(1e-9, float(noise.std()))
        signed = _depth(ids == i) - _depth(ids != i)
        moved = signed + noise > 0
        worse[moved if moved.any() else ids == i] = i
    return worse


PERTURBATIONS: dict[str, Perturbation] = {
    "box": box,
    "eroded": eroded,
    "dilated": dilated,
    "shifted": shifted,
    "noisy": noisy,
}


def _reach(mask: NDArray[np.bool_]) -> float:
    return max(1.0, _AMOUNT * float(np.sqrt(mask.sum())))


def _depth(mask: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Distance of each pixel inside to the nearest one outside; pixels beyond the picture do not count as outside."""
    if mask.all():
        return np.full(mask.shape, np.inf)
    depth: NDArray[np.float64] = distance_transform_edt(mask)
    return depth
