"""Several images side by side on one sheet."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from cyclevos.pictures.arrays import UInt8Array

_GAP = 4
_LABEL_HEIGHT = 14
_PAPER = (24, 24, 24)
_INK = (235, 235, 235)


def contact_sheet(
    images: Sequence[UInt8Array], labels: Sequence[str], columns: int = 4, width: int = 1280
) -> UInt8Array:
    """Lay out images in rows, each scaled to its column, with its label above it.

    Args:
        images: at least one, each uint8 RGB (H, W, 3); sizes may differ.
        labels: one short text per image.
        columns: images per row at most.
        width: width of the sheet in pixels.

    Returns:
        uint8 RGB (height, width, 3).

    Raises:
        ValueError: the counts differ, or the sheet is too narrow for its columns.
    """
    if not images or len(images) != len(labels):
        raise ValueError(f"expected as many labels as images, at least one; got {len(images)} and {len(labels)}")
    columns = min(columns, len(images))
    cell = (width - _GAP) // columns - _GAP if columns > 0 else 0
    if cell < 1:
        raise ValueError(f"expected columns >= 1 that fit into the width; got {columns} in {width} pixels")
    heights = [max(1, round(image.shape[0] * cell / image.shape[1])) for image in images]
    rows = [max(heights[start : start + columns]) for start in range(0, len(images), columns)]
    sheet = Image.new("RGB", (width, _GAP + sum(row + _LABEL_HEIGHT + _GAP for row in rows)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    top = _GAP
    for row, row_height in enumerate(rows):
        for column in range(min(columns, len(images) - row * columns)):
            index = row * columns + column
            left = _GAP + column * (cell + _GAP)
            draw.text((left, top), labels[index], fill=_INK)
            scaled = Image.fromarray(images[index]).resize((cell, heights[index]), Image.Resampling.BILINEAR)
            sheet.paste(scaled, (left, top + _LABEL_HEIGHT))
        top += row_height + _LABEL_HEIGHT + _GAP
    return np.array(sheet)
