"""The guided filter (He, Sun and Tang, 2013): smooths a mask so that its edges fall on those of a colour picture.

In every square window the result is linear in the colour, q = a · I + b, with a and b fitted to the mask. Where a
window has two colours, the fit separates them there, and the edge moves to where they meet.

Shapes: h w pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

from cyclevos.pictures.arrays import UInt8Array

Plane = NDArray[np.floating]

_EPSILON = 1e-3  # the paper's ε for colours in 0..1: windows of less contrast than its root are smoothed


def guided_filter(image: UInt8Array, mask: Plane, radius: int, epsilon: float = _EPSILON) -> Plane:
    """Filter a mask with a picture as the guide.

    Args:
        image: RGB uint8 (h,w,3), the guide I.
        mask: float32 (h,w) in 0..1, the input p.
        radius: r of the square windows of 2r+1 pixels.
        epsilon: of the fit; colours are in 0..1.

    Returns:
        q, float32 (h,w), roughly in 0..1.
    """
    guide = [np.ascontiguousarray(image[..., channel], np.float32) / 255 for channel in range(3)]

    def mean(plane: Plane) -> Plane:
        averaged: Plane = uniform_filter(plane, 2 * radius + 1, mode="nearest")
        return averaged

    mean_i, mean_p = [mean(plane) for plane in guide], mean(mask)
    covariance = [mean(plane * mask) - centre * mean_p for plane, centre in zip(guide, mean_i, strict=True)]
    spread = {
        (j, k): mean(guide[j] * guide[k]) - mean_i[j] * mean_i[k] + (epsilon if j == k else 0)
        for j in range(3)
        for k in range(j, 3)
    }  # Σ + ε·1, symmetric
    a = _solve(spread, covariance)  # equation 19
    b = mean_p - sum(each * centre for each, centre in zip(a, mean_i, strict=True))  # equation 20
    filtered: Plane = sum(mean(each) * plane for each, plane in zip(a, guide, strict=True)) + mean(b)  # equation 21
    return filtered


def _solve(s: Mapping[tuple[int, int], Plane], v: Sequence[Plane]) -> list[Plane]:
    """Solve S a = v for a symmetric 3x3 matrix in every pixel, by its cofactors."""
    xx, xy, xz, yy, yz, zz = (s[at] for at in ((0, 0), (0, 1), (0, 2), (1, 1), (1, 2), (2, 2)))
    c_xx, c_xy, c_xz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    c_yy, c_yz, c_zz = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    determinant = xx * c_xx + xy * c_xy + xz * c_xz
    rows = ((c_xx, c_xy, c_xz), (c_xy, c_yy, c_yz), (c_xz, c_yz, c_zz))
    return [(p * v[0] + q * v[1] + r * v[2]) / determinant for p, q, r in rows]
