"""The colours of object ids in indexed PNGs and pictures: the PASCAL VOC palette, which DAVIS uses too."""

from __future__ import annotations

import numpy as np

from cyclevos.pictures.arrays import UInt8Array


def voc_palette() -> bytes:
    """Compute the 256 RGB colours of PASCAL VOC, 768 bytes.

    Bits 0, 1 and 2 of the id are the top bits of red, green and blue, bits 3, 4 and 5 the next bits, and so on.

    >>> [tuple(voc_palette()[3 * k : 3 * k + 3]) for k in range(3)]
    [(0, 0, 0), (128, 0, 0), (0, 128, 0)]
    """
    ids = np.arange(256)
    colours = np.zeros((256, 3), np.uint8)
    for level in range(3):
        for channel in range(3):
            bit = (ids >> (3 * level + channel)) & 1
            colours[:, channel] |= (bit << (7 - level)).astype(np.uint8)
    return colours.tobytes()


DAVIS_PALETTE = voc_palette()


def palette_colours(palette: bytes | None) -> UInt8Array:
    """Return a palette as uint8 colours (256, 3); missing entries are those of the DAVIS palette.

    >>> palette_colours(bytes([9, 8, 7]))[0]
    array([9, 8, 7], dtype=uint8)
    """
    given = (palette or b"")[:768]
    data = given + DAVIS_PALETTE[len(given) :]
    return np.frombuffer(data, np.uint8).reshape(256, 3)


def is_davis(palette: bytes | None) -> bool:
    """Return whether a palette shows what a mask without one does: the DAVIS palette, or its first entries.

    >>> is_davis(None), is_davis(DAVIS_PALETTE[:9]), is_davis(bytes([9, 8, 7]))
    (True, True, False)
    """
    return palette_colours(palette).tobytes() == DAVIS_PALETTE
