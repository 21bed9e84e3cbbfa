"""Masks in formats that blur ids, such as JPEG: every pixel made one of the evenly coloured parts again.

Shapes: H height, W width, C distinct colours, P parts.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.pictures.mask_colours import filling

_Int64Array = npt.NDArray[np.int64]

_NEAR = 40  # largest distance in RGB at which a colour is a compressed form of a more frequent one
_RARE = 1000  # a part has at least one pixel in so many
_MOST_PARTS = 64
_MOST_SOFT = 0.5  # share of pixels that are near no part, above which it is no mask
_PLACES = np.array([1 << 16, 1 << 8, 1])


def steadied(image: Image.Image) -> Image.Image:
    """Return a decoded picture in which every pixel has the nearest colour of an evenly coloured part.

    Parts that are all grey give a grey picture, so that a mask of black and white stays one. A picture that is no mask
    is returned as it is.
    """
    rgb = np.asarray(image.convert("RGB")).astype(np.int64)  # (H, W, 3)
    codes, inverse, counts = np.unique(rgb @ _PLACES, return_inverse=True, return_counts=True)
    inverse = inverse.reshape(rgb.shape[:2])
    colours = np.stack([codes >> 16, codes >> 8 & 255, codes & 255], axis=-1)  # (C, 3)
    parts = _frequent(colours, counts)
    nearest, _ = _nearest(colours, parts)
    parts = parts[filling(nearest[inverse], np.arange(len(parts)))]
    nearest, distances = _nearest(colours, parts)
    soft = counts[distances > _NEAR**2].sum() / counts.sum()
    if not len(parts) or soft > _MOST_SOFT:
        return image
    steady = Image.fromarray(parts[nearest][inverse].astype(np.uint8))
    return steady.convert("L") if (np.ptp(parts, axis=1) <= 2).all() else steady


def _frequent(colours: _Int64Array, counts: _Int64Array) -> _Int64Array:
    """Return the frequent colours (P, 3) that are not near a more frequent one; there is at least one."""
    found: list[_Int64Array] = []
    for index in np.argsort(-counts, kind="stable"):
        if found and (counts[index] * _RARE < counts.sum() or len(found) == _MOST_PARTS):
            break
        if all(((colours[index] - other) ** 2).sum() > _NEAR**2 for other in found):
            found.append(colours[index])
    return np.array(found)


def _nearest(colours: _Int64Array, parts: _Int64Array) -> tuple[_Int64Array, _Int64Array]:
    """Return the nearest part of each colour and its squared distance, both (C,).

    One part after the other: photographs have as many colours as pixels.
    """
    best = np.full(len(colours), np.iinfo(np.int64).max)
    nearest = np.zeros(len(colours), np.int64)
    for number, part in enumerate(parts):
        distances = ((colours - part) ** 2).sum(-1)
        closer = distances < best
        best[closer], nearest[closer] = distances[closer], number
    return nearest, best
