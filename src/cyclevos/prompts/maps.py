"""Prompts drawn as the maps that the network reads. Shapes: S side of a look in pixels."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cyclevos.prompts.prompts import Box, Click

RADIUS = 5.0
"""Radius in pixels of the disk that stands for a click."""


def prompt_maps(
    size: int, clicks: Iterable[Click] = (), box: Box | None = None, mask: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """Draw the prompts of one look.

    Args:
        size: S.
        clicks: in pixels of the look.
        box: the same; it may reach beyond the look.
        mask: probabilities (S,S) of the mask that is to be repaired; None = there is none.

    Returns:
        float32 (5,S,S) in 0..1: disks on the object, disks beside it, the filled box, the mask, and whether there is
        a box.
    """
    maps = np.zeros((5, size, size), np.float32)
    for click in clicks:
        draw_disk(maps[0 if click.positive else 1], click.x, click.y)
    if box is not None:
        left, top = (max(0, round(edge)) for edge in box[:2])
        maps[2, top : max(0, round(box.bottom)), left : max(0, round(box.right))] = 1
        maps[4] = 1
    if mask is not None:
        maps[3] = mask
    return maps


def draw_disk(onto: NDArray[np.float32], x: float, y: float) -> None:
    """Set a disk around a point in pixels to 1, in place, (S,S)."""
    height, width = onto.shape
    top, bottom = max(0, int(y - RADIUS)), min(height, int(y + RADIUS) + 2)
    left, right = max(0, int(x - RADIUS)), min(width, int(x + RADIUS) + 2)
    rows = np.arange(top, bottom)[:, None] + 0.5 - y
    columns = np.arange(left, right)[None] + 0.5 - x
    onto[top:bottom, left:right][rows**2 + columns**2 <= RADIUS**2] = 1
