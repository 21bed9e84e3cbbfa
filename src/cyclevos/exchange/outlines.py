"""Outlines of masks along the edges of their pixels, from which pycocotools draws exactly the same pixels again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Shapes: H height, W width, n corners. Corners are (x, y), whole numbers; (0, 0) is the corner of the first pixel.

_Point = tuple[int, int]


def outlines(mask: npt.NDArray[np.bool_]) -> list[list[_Point]]:
    """Return the outlines of a mask, one of each piece; pieces that touch at a corner alone are two.

    A hole becomes part of its piece's outline, joined to it by a line that is walked there and back: formats of
    outlines have no holes, and rules of filling that count crossings leave it empty.

    Args:
        mask: bool (H, W).

    Returns:
        The corners of each outline, at least four, clockwise as seen on a screen; none for an empty mask.

    >>> outlines(np.array([[True, True], [False, True]]))
    [[(0, 0), (2, 0), (2, 2), (1, 2), (1, 1), (0, 1)]]
    """
    rings = _rings(mask)
    pieces = [ring for ring in rings if _area(ring) > 0]
    for hole in (ring for ring in rings if _area(ring) < 0):
        _join(pieces[_owner(hole, pieces)], hole)
    return pieces


def polygons(mask: npt.NDArray[np.bool_]) -> list[list[int]]:
    """Return the outlines of a mask, bool (H, W), as COCO writes them: x, y, x, y, ...

    >>> polygons(np.array([[False, True]]))
    [[1, 0, 2, 0, 2, 1, 1, 1]]
    """
    return [[value for point in ring for value in point] for ring in outlines(mask)]


def outline(mask: npt.NDArray[np.bool_]) -> list[_Point]:
    """Return one outline of a whole mask, whose pieces are joined by lines that are walked there and back.

    Args:
        mask: bool (H, W).

    Returns:
        The corners; none for an empty mask.

    >>> outline(np.array([[True, False, True]]))
    [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (2, 1), (2, 0), (1, 0), (1, 1), (0, 1)]
    """
    first, *others = outlines(mask) or [[]]
    for other in others:
        _join(first, other)
    return first


def _rings(mask: npt.NDArray[np.bool_]) -> list[list[_Point]]:
    """Walk along all edges between object and background, the object on the right; holes go the other way round."""
    leaving = _edges(mask)
    rings = []
    for start in sorted(leaving, key=lambda point: (point[1], point[0])):
        while leaving[start]:
            rings.append(_walk(leaving, start))
    return rings


def _edges(mask: npt.NDArray[np.bool_]) -> dict[_Point, list[_Point]]:
    """Return the directions in which edges leave each corner."""
    inside = np.pad(mask.astype(np.bool_), 1)
    here = inside[1:-1, 1:-1]
    leaving: dict[_Point, list[_Point]] = defaultdict(list)
    for beside, corner, direction in (
        (inside[:-2, 1:-1], (0, 0), (1, 0)),  # along the top, to the right
        (inside[1:-1, 2:], (1, 0), (0, 1)),  # along the right side, down
        (inside[2:, 1:-1], (1, 1), (-1, 0)),  # along the bottom, to the left
        (inside[1:-1, :-2], (0, 1), (0, -1)),  # along the left side, up
    ):
        for y, x in np.argwhere(here & ~beside).tolist():
            leaving[x + corner[0], y + corner[1]].append(direction)
    return leaving


def _walk(leaving: dict[_Point, list[_Point]], start: _Point) -> list[_Point]:
    """Walk one ring and take its edges away; only corners where the direction changes are kept."""
    ring: list[_Point] = []
    direction, (x, y) = leaving[start][0], start
    before: _Point | None = None
    while True:
        choices = leaving[x, y]
        if before is not None and len(choices) > 1:
            right = (-before[1], before[0])  # where two pieces touch, stay at the same one
            direction = right if right in choices else choices[0]
        elif choices:
            direction = choices[0]
        if direction != before:
            ring.append((x, y))
        choices.remove(direction)
        x, y, before = x + direction[0], y + direction[1], direction
        if (x, y) == start and not _goes_on(leaving[start], before):
            return ring


def _goes_on(choices: Sequence[_Point], before: _Point) -> bool:
    """Return whether the same piece goes on at the corner where its ring began, which it touches twice."""
    return (-before[1], before[0]) in choices and len(choices) > 1


def _area(ring: Sequence[_Point]) -> int:
    """Return twice the area; positive if the ring goes clockwise on a screen."""
    points = np.array(ring, np.int64)
    x, y = points[:, 0], points[:, 1]
    return int((x * np.roll(y, -1) - np.roll(x, -1) * y).sum())


def _owner(hole: Sequence[_Point], pieces: Sequence[Sequence[_Point]]) -> int:
    """Return the piece that a hole lies in: the smallest whose outline surrounds the hole's first corner."""
    x, y = hole[0][0], hole[0][1] + 0.5  # beside a corner, where no outline turns
    around = [k for k, piece in enumerate(pieces) if _surrounds(piece, x, y)]
    return min(around, key=lambda k: _area(pieces[k]))


def _surrounds(ring: Sequence[_Point], x: float, y: float) -> bool:
    """Return whether a point lies inside a ring or on it, by the edges to its left."""
    points = np.array(ring, np.int64)
    following = np.roll(points, -1, axis=0)
    upright = points[:, 0] == following[:, 0]
    low, high = np.minimum(points[:, 1], following[:, 1]), np.maximum(points[:, 1], following[:, 1])
    crossed = upright & (points[:, 0] <= x) & (low < y) & (y < high)
    return bool(np.count_nonzero(crossed) % 2)


def _join(ring: list[_Point], hole: Sequence[_Point]) -> None:
    """Put a hole into a ring where they are nearest."""
    from scipy.spatial import cKDTree

    distances, nearest = cKDTree(np.array(ring)).query(np.array(hole))  # of each corner of the hole
    begin = int(distances.argmin())
    at = int(nearest[begin])
    ring[at + 1 : at + 1] = [*hole[begin:], *hole[: begin + 1], ring[at]]
