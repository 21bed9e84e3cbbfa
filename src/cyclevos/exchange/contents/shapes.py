"""How annotation tools describe pixels: outlines, run-length codes, small pictures and geometric shapes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import run_length
from cyclevos.naming import size_text

# Shapes: H height, W width. Coordinates: x to the right, y down, in pixels; (0, 0) is the corner of the first pixel.

BoolArray = npt.NDArray[np.bool_]


class Shape(Protocol):
    """Pixels of one frame, described in some way."""

    def draw(self, size: tuple[int, int], where: str) -> BoolArray:
        """Return the pixels as bool (H, W).

        Args:
            size: (H, W) of the frame.
            where: what the shape belongs to, for the error.

        Raises:
            MaskError: the shape is broken, or does not belong to a frame of that size.
        """


@dataclass(frozen=True)
class Polygons(Shape):
    """Outlines, filled as COCO fills them; their union, without the holes.

    Attributes:
        outlines: each x, y, x, y, ...
        holes: the same.
    """

    outlines: Sequence[Sequence[float]]
    holes: Sequence[Sequence[float]] = ()

    def draw(self, size: tuple[int, int], where: str) -> BoolArray:
        """Fill the outlines; see :meth:`Shape.draw`."""
        filled = run_length.from_polygons(self.outlines, size, where)
        return filled & ~run_length.from_polygons(self.holes, size, where) if self.holes else filled


@dataclass(frozen=True)
class RunLength(Shape):
    """A run-length code of the whole frame, down the columns.

    Attributes:
        size: (H, W) that the code is for.
        counts: COCO's text, or the runs themselves, background first.
    """

    size: tuple[int, int]
    counts: str | Sequence[int]

    def draw(self, size: tuple[int, int], where: str) -> BoolArray:
        """Decode the code; see :meth:`Shape.draw`."""
        if tuple(self.size) != tuple(size):
            raise MaskError(
                f"{where}: the mask is {size_text(self.size)}, but the frame is {size_text(size)} (width x height).",
                "Correct the sizes or export the file again.",
            )
        return run_length.decode(self.counts, size, where)


@dataclass(frozen=True)
class Patch(Shape):
    """A small mask at a place in the frame; what lies outside the frame is cut off.

    Attributes:
        left: column of its first pixel.
        top: row of its first pixel.
        read: returns the mask, bool (h, w); called when it is drawn, so that it can be checked and bounded there.
    """

    left: int
    top: int
    read: Callable[[], BoolArray]

    def draw(self, size: tuple[int, int], where: str) -> BoolArray:
        """Put the mask into its place; see :meth:`Shape.draw`."""
        height, width = run_length.check_size(size, where)
        pixels = self.read()
        canvas = np.zeros((height, width), np.bool_)
        rows = slice(max(self.top, 0), min(self.top + pixels.shape[0], height))
        columns = slice(max(self.left, 0), min(self.left + pixels.shape[1], width))
        if rows.start < rows.stop and columns.start < columns.stop:
            canvas[rows, columns] = pixels[
                rows.start - self.top : rows.stop - self.top, columns.start - self.left : columns.stop - self.left
            ]
        return canvas


@dataclass(frozen=True)
class Ellipse(Shape):
    """An ellipse: the pixels whose centres it holds.

    Attributes:
        x: of its centre.
        y: of its centre.
        radius_x: half of its width before it is turned.
        radius_y: half of its height.
        angle: turned clockwise by so many degrees.
    """

    x: float
    y: float
    radius_x: float
    radius_y: float
    angle: float = 0.0

    def draw(self, size: tuple[int, int], where: str) -> BoolArray:
        """Fill the ellipse; see :meth:`Shape.draw`."""
        height, width = run_length.check_size(size, where)
        values = (self.x, self.y, self.radius_x, self.radius_y, self.angle)
        if not all(map(math.isfinite, values)) or self.radius_x <= 0 or self.radius_y <= 0:
            raise MaskError(
                f"{where}: an ellipse with the radii {self.radius_x:g} and {self.radius_y:g}; expected radii above 0.",
                "Correct it or remove it.",
            )
        inside = np.zeros((height, width), np.bool_)
        right = np.arange(width) + 0.5 - self.x
        cosine, sine = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        for row in range(height):  # one at a time, since a large picture in floats takes gigabytes
            down = row + 0.5 - self.y
            along, across = right * cosine + down * sine, down * cosine - right * sine
            inside[row] = (along / self.radius_x) ** 2 + (across / self.radius_y) ** 2 <= 1
        return inside


def joined_outlines(shapes: Sequence[Shape]) -> list[Shape]:
    """Return shapes of one object with its outlines without holes as one, so that thousands are filled at once."""
    plain = [each for each in shapes if isinstance(each, Polygons) and not each.holes]
    others = [each for each in shapes if not (isinstance(each, Polygons) and not each.holes)]
    return [*([Polygons([ring for each in plain for ring in each.outlines])] if plain else []), *others]


def box(left: float, top: float, right: float, bottom: float) -> Polygons:
    """Return a box as an outline, its corners in any order."""
    left, right, top, bottom = min(left, right), max(left, right), min(top, bottom), max(top, bottom)
    return Polygons([[left, top, right, top, right, bottom, left, bottom]])


def turned_box(x: float, y: float, width: float, height: float, angle: float) -> Polygons:
    """Return a box around a centre, turned clockwise by an angle in degrees, as an outline."""
    cosine, sine = math.cos(math.radians(angle)), math.sin(math.radians(angle))
    corners = [(-width / 2, -height / 2), (width / 2, -height / 2), (width / 2, height / 2), (-width / 2, height / 2)]
    return Polygons([[v for a, b in corners for v in (x + a * cosine - b * sine, y + a * sine + b * cosine)]])
