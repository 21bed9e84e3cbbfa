"""Finishing the edges of masks: grow, shrink, smooth, fill holes, drop pieces, snap to the picture's edges.

An object gains pixels of the background only: those of other objects stay theirs. What it loses becomes background.

Shapes: H W pixels of a mask, h w pixels of the window around the objects that an edit works in.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from cyclevos.app.work.guided_filter import guided_filter
from cyclevos.app.work.wanted_edit import Finish
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pieces import numbered_pieces, pieces_of

_SNAPS = 3  # each brings the edge nearer to the picture's
_MARGINS = {"grow": 1, "smooth": 3, "snap": 5}  # how far an edit looks beyond the objects, in amounts
_TELLING = 0.1  # how much the picture has to change the filter's answer to be followed
_REACH = 2  # the filter's radius as a multiple of the distance that an edge may move


def finished(
    ids: UInt8Array, how: Finish, amount: int, objects: Sequence[int], image: UInt8Array | None = None
) -> UInt8Array:
    """Return a mask with the edges of some objects finished.

    Args:
        ids: (H,W) object ids; it is not changed.
        how: ``grow`` or ``shrink`` by pixels, ``smooth`` corners of that size, ``fill`` holes (any size),
            drop ``small`` pieces of fewer pixels, drop pieces that are more pixels ``away`` from the largest one, or
            ``snap`` to edges of the picture that are at most so many pixels away.
        amount: that number of pixels.
        objects: the ids to change; those that are not there are passed over.
        image: RGB (H,W,3), for ``snap``.

    Returns:
        uint8 (H,W).

    Example:
        >>> finished(np.array([[0, 0, 1, 0, 2]], np.uint8), "grow", 2, [1]).tolist()
        [[1, 1, 1, 1, 2]]
    """
    found: UInt8Array = ids.copy()
    margin = _MARGINS.get(how, 0) * amount + 1
    window = _window(np.isin(ids, [*objects]), margin)
    if window is None:
        return found
    inner, picture = ids[window], None if image is None else image[window]
    if how == "grow":
        found[window] = _grown(inner, amount, objects)
        return found
    for object_id in objects:
        mask = inner == object_id
        if mask.any():
            wanted = _SHAPES[how](mask, amount, picture)
            part = found[window]
            part[mask & ~wanted] = 0
            part[wanted & (inner == 0)] = object_id
    return found


def piece_at(ids: UInt8Array, x: int, y: int) -> NDArray[np.bool_]:
    """Return the connected piece of the object at a pixel, bool (H,W); nothing where that is background."""
    if not ids[y, x]:
        return np.zeros(ids.shape, np.bool_)
    labels = numbered_pieces(ids == ids[y, x])
    piece: NDArray[np.bool_] = labels == labels[y, x]
    return piece


def _window(mask: NDArray[np.bool_], margin: int) -> tuple[slice, slice] | None:
    """Return the rows and columns around a mask; None where it is empty."""
    rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    around = [slice(max(0, int(at[0]) - margin), int(at[-1]) + margin + 1) for at in (rows, columns)]
    return around[0], around[1]


def _grown(ids: UInt8Array, amount: int, objects: Sequence[int]) -> UInt8Array:
    """Give the background within a distance to the nearest of the objects."""
    growing = np.isin(ids, [*objects])
    distance, (rows, columns) = ndimage.distance_transform_edt(~growing, return_indices=True)
    gained = (distance <= amount) & (ids == 0)
    return np.where(gained, ids[rows, columns], ids).astype(np.uint8)


# Each returns where one object is to be: (mask (h,w), amount, picture (h,w,3)) -> bool (h,w). The window reaches one
# pixel beyond the object, except at the frame's border, which is no edge of the object.


def _shrunk(mask: NDArray[np.bool_], amount: int, _: UInt8Array | None) -> NDArray[np.bool_]:
    if mask.all():
        return mask
    left: NDArray[np.bool_] = ndimage.distance_transform_edt(mask) > amount
    return left


def _smoothed(mask: NDArray[np.bool_], amount: int, _: UInt8Array | None) -> NDArray[np.bool_]:
    soft: NDArray[np.float32] = ndimage.gaussian_filter(mask.astype(np.float32), amount, mode="nearest", truncate=3)
    return soft > 0.5


def _filled(mask: NDArray[np.bool_], _: int, __: UInt8Array | None) -> NDArray[np.bool_]:
    whole: NDArray[np.bool_] = ndimage.binary_fill_holes(mask)
    return whole


def _without_small(mask: NDArray[np.bool_], amount: int, _: UInt8Array | None) -> NDArray[np.bool_]:
    labels, sizes, _distances = pieces_of(mask)
    kept = sizes >= amount
    kept[[0, int(sizes.argmax())]] = False, True  # an object never vanishes by this
    return kept[labels]


def _without_away(mask: NDArray[np.bool_], amount: int, _: UInt8Array | None) -> NDArray[np.bool_]:
    labels, _sizes, distances = pieces_of(mask)
    kept = distances <= amount
    kept[0] = False
    return kept[labels]


def _snapped(mask: NDArray[np.bool_], amount: int, picture: UInt8Array | None) -> NDArray[np.bool_]:
    """Move the edge by at most an amount, to where the picture has one."""
    if picture is None:
        raise ValueError("expected the picture whose edges the mask is snapped to, got None")
    inside = ndimage.distance_transform_edt(np.pad(mask, 1, mode="edge"))[1:-1, 1:-1] > amount
    outside = ndimage.distance_transform_edt(~mask) > amount
    wanted = mask
    for _ in range(_SNAPS):
        plain = wanted.astype(np.float32)
        soft, flat = guided_filter(picture, plain, _REACH * amount), plain  # and without any edge in the picture
        for _ in range(2):
            flat = ndimage.uniform_filter(flat, 2 * _REACH * amount + 1, mode="nearest")
        # A thin or small object fills less than half of its windows: the limit is between a half and its share.
        followed = np.where(np.abs(soft - flat) > _TELLING, soft > (flat + 0.5) / 2, wanted)
        wanted = (followed & ~outside) | inside
    return wanted


_SHAPES: dict[str, Callable[[NDArray[np.bool_], int, UInt8Array | None], NDArray[np.bool_]]] = {
    "shrink": _shrunk,
    "smooth": _smoothed,
    "fill": _filled,
    "small": _without_small,
    "away": _without_away,
    "snap": _snapped,
}
