"""Masks as few bytes: a mask is mostly runs of the same id, so the fastest compression takes it to a hundredth.

Shapes: H height, W width.
"""

from __future__ import annotations

import zlib

import numpy as np

from cyclevos.pictures.arrays import UInt8Array


def packed(ids: UInt8Array) -> bytes:
    """Return the ids of a mask, uint8 (H,W), as zlib's format: one byte per pixel, row by row.

    Example:
        >>> unpacked(packed(np.array([[0, 7, 7]], np.uint8)), (1, 3))
        array([[0, 7, 7]], dtype=uint8)
    """
    return zlib.compress(ids.tobytes(), 1)


def unpacked(data: bytes, size: tuple[int, int]) -> UInt8Array:
    """Return the ids of a mask of a size (H,W); they may be changed.

    Raises:
        ValueError: it is of another size.
        zlib.error: the data is damaged.
    """
    pixels = bytearray(zlib.decompress(data))  # an array over bytes could not be changed
    return np.frombuffer(pixels, np.uint8).reshape(size)
