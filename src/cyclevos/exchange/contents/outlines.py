"""Outlines of masks along the edges of their pixels, from which pycocotools draws exactly the same pixels again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

# Shapes: H height, W width, n corners. Corners are (x, y), whole numbers; (0, 0) is the corner of the first pixel.

_Point = tuple[int, int]

_MOST_SEARCHED = 2**24
"""Corners times rings up to which rings are joined where they are nearest: some seconds."""
_STRIP = 4  # rows


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
    pieces = {}
    holes: dict[int, list[list[_Point]]] = defaultdict(list)
    labels = _labelled(mask)
    for ring in rings:
        x, y = _inner_pixel(ring)
        if _area(ring) > 0:
            pieces[int(labels[y, x])] = ring
        else:
            holes[int(labels[y, x])].append(ring)
    for piece, others in holes.items():
        _join(pieces[piece], others)
    return list(pieces.values())


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
    _join(first, others)
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


def _labelled(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.integer]:
    """Number the pieces of a mask (H, W), which hang together by the sides of their pixels."""
    from scipy.ndimage import label

    labels: npt.NDArray[np.integer] = label(mask)[0]
    return labels


def _inner_pixel(ring: Sequence[_Point]) -> _Point:
    """Return the pixel (x, y) of the object beside a ring's first edge, on the right."""
    (x, y), (next_x, next_y) = ring[:2]
    if next_y == y:
        return (x, y) if next_x > x else (x - 1, y - 1)
    return (x - 1, y) if next_y > y else (x, y - 1)


def _join(ring: list[_Point], others: Sequence[Sequence[_Point]]) -> None:
    """Put other rings into a ring, by lines that are walked there and back.

    Each is joined where the two are nearest. That takes a search in all corners for each ring, so if there are very
    many, as in noise, each is joined to the one before instead.
    """
    corners = len(ring) + sum(map(len, others))
    if len(others) * corners <= _MOST_SEARCHED:
        for other in others:
            _join_nearest(ring, other)
        return
    # From left to right and back again, one strip after the other, so that the lines stay short.
    strips = [(other[0][1] // _STRIP, other[0][0]) for other in others]
    order = sorted(range(len(others)), key=lambda k: (strips[k][0], strips[k][1] * (-1) ** (strips[k][0] % 2)))
    chain = [point for k in order for point in (*others[k], others[k][0])]
    ring += [ring[0], *chain, *(others[k][0] for k in reversed(order)), ring[0]]


def _join_nearest(ring: list[_Point], other: Sequence[_Point]) -> None:
    from scipy.spatial import cKDTree

    distances, nearest = cKDTree(np.array(ring)).query(np.array(other))  # of each corner of the other one
    begin = int(distances.argmin())
    at = int(nearest[begin])
    ring[at + 1 : at + 1] = [*other[begin:], *other[: begin + 1], ring[at]]
