"""Boxes as people draw them: the true one, and ones whose edges are off by a share of its sides."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np

from cyclevos.prompts.prompts import Box

DRAWS = 5
"""Boxes that are drawn with one slack; their mean J counts."""


def moved_box(box: Box, slack: float, moves: Sequence[float], size: tuple[int, int]) -> Box:
    """Return a box with each edge moved by itself, cut at the edges of the picture.

    Args:
        box: the true box.
        slack: the farthest that an edge moves: a share of the width for the left and the right edge, of the height
            for the others.
        moves: of the left, top, right and bottom edge, in -1..1 times the farthest; positive = rightwards, downwards.
        size: (height, width) of the picture.

    Returns:
        The moved box. An edge that would leave less than a pixel of the box stays where it is, and so does the edge
        opposite.

    >>> moved_box(Box(10, 20, 30, 60), 0.1, (-1, -0.5, 1, 0.25), (62, 100))
    Box(left=8.0, top=18.0, right=32.0, bottom=61.0)
    """
    across, along = slack * (box.right - box.left), slack * (box.bottom - box.top)
    left, right = box.left + moves[0] * across, box.right + moves[2] * across
    top, bottom = box.top + moves[1] * along, box.bottom + moves[3] * along
    height, width = size
    left, right = max(0.0, left), min(float(width), right)
    top, bottom = max(0.0, top), min(float(height), bottom)
    if right - left < 1:
        left, right = box.left, box.right
    if bottom - top < 1:
        top, bottom = box.top, box.bottom
    return Box(left, top, right, bottom)


def drawn_boxes(box: Box, slack: float, size: tuple[int, int], name: str) -> list[Box]:
    """Return the boxes that stand for one slack: the true one for 0, otherwise `DRAWS` of them.

    The moves of the edges are uniform in -1..1 and depend on the name alone, so that every prompter, on every machine,
    gets the same boxes; with twice the slack each edge moves twice as far.

    Args:
        box: the true box.
        slack: see :func:`moved_box`.
        size: (height, width) of the picture.
        name: of the object, in the data set.
    """
    if slack == 0:
        return [box]
    moves = np.random.default_rng(zlib.crc32(name.encode())).uniform(-1, 1, (DRAWS, 4))
    return [moved_box(box, slack, each, size) for each in moves.tolist()]
