"""Boxes around masks and around clicks. Shapes: H W pixels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cyclevos.prompts.prompts import Box, Click


def bounds(mask: NDArray[np.bool_]) -> Box | None:
    """Return the box around the pixels of a mask (H,W); None if it has none."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return Box(float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))


def joined(box: Box | None, clicks: Iterable[Click]) -> Box | None:
    """Return the smallest box that holds a box and the pixels of clicks; None without any."""
    boxes = [] if box is None else [box]
    boxes += [Box(c.x - 0.5, c.y - 0.5, c.x + 0.5, c.y + 0.5) for c in clicks]
    if not boxes:
        return None
    return Box(
        min(b.left for b in boxes), min(b.top for b in boxes), max(b.right for b in boxes), max(b.bottom for b in boxes)
    )
