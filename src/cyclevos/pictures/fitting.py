"""Masks brought to their frame's size: resized, or turned where the camera's frames are."""

from __future__ import annotations

import numpy as np
from PIL import Image

from cyclevos.naming import size_text
from cyclevos.pictures.mask_files import MaskImage

# Largest relative difference of two aspect ratios that count as the same; sizes are rounded.
_SAME_RATIO = 0.02

LEFT, RIGHT = Image.Transpose.ROTATE_90, Image.Transpose.ROTATE_270  # Pillow rotates counterclockwise


def is_on_its_side(mask: tuple[int, int], frame: tuple[int, int]) -> bool:
    """Return whether a mask has a frame's shape turned by 90 degrees, so that resizing would distort it.

    Args:
        mask: (height, width) in pixels.
        frame: the same of the frame.

    >>> is_on_its_side((428, 240), (240, 428)), is_on_its_side((120, 214), (240, 428))
    (True, False)
    """
    turned = mask[0] * frame[0] / (mask[1] * frame[1])
    return abs(turned - 1) < _SAME_RATIO and not _has_shape(mask, frame)


def resized(mask: MaskImage, size: tuple[int, int]) -> MaskImage:
    """Return a mask in another size (height, width), by nearest neighbour, with a note if that distorts it."""
    image = Image.fromarray(mask.ids).resize((size[1], size[0]), Image.Resampling.NEAREST)
    if _has_shape(mask.size, size):
        return _changed(mask, image)
    return _changed(
        mask,
        image,
        f"it was stretched from {size_text(mask.size)} to {size_text(size)}, which have different shapes. If it is of "
        "a crop or has borders, its objects are in the wrong place; then export it in the frames' size",
    )


def turned(mask: MaskImage, turn: Image.Transpose, note: str) -> MaskImage:
    """Return a turned mask.

    Args:
        mask: the mask.
        turn: the turn.
        note: what the user is told about it.
    """
    return _changed(mask, Image.fromarray(mask.ids).transpose(turn), note)


def _has_shape(mask: tuple[int, int], frame: tuple[int, int]) -> bool:
    """Return whether two sizes (height, width) have the same aspect ratio, up to rounding."""
    return abs(mask[0] * frame[1] / (mask[1] * frame[0]) - 1) < _SAME_RATIO


def _changed(mask: MaskImage, image: Image.Image, *notes: str) -> MaskImage:
    return MaskImage(np.array(image, dtype=np.uint8), mask.palette, mask.found, (*mask.notes, *notes))
