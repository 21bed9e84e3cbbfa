"""Shapes in CVAT's XML: outlines, boxes, ellipses and run-length codes, from an element's attributes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import run_length
from cyclevos.exchange.contents.shapes import BoolArray, Ellipse, Patch, Polygons, Shape, box, turned_box
from cyclevos.words import counted

AREAS = ("polygon", "box", "ellipse", "mask")
"""Elements with an inside."""
WITHOUT_AREA = {"polyline": "polyline", "points": "group of points", "cuboid": "cuboid", "skeleton": "skeleton"}
"""Elements that are left out, with what they are called."""

_LONGEST = 20  # digits of a run that are looked at; a longer one is too long for any picture
_REMEDY = "Correct the file or export it again."


def shape(element: Element, where: str) -> Shape:
    """Return what an element of `AREAS` covers.

    Args:
        element: the element.
        where: what it belongs to, for the error.

    Raises:
        MaskError: an attribute is missing or broken.
    """
    if element.tag == "polygon":
        return Polygons([_points(element, where)])
    if element.tag == "ellipse":
        x, y, radius_x, radius_y = (number(element, name, where) for name in ("cx", "cy", "rx", "ry"))
        return Ellipse(x, y, radius_x, radius_y, number(element, "rotation", where, 0))
    if element.tag == "mask":
        left, top, width, height = (whole(element, name, where) for name in ("left", "top", "width", "height"))
        return Patch(left, top, _RowCode(element.get("rle", ""), (height, width), where).read)
    left_, top_, right, bottom = (number(element, name, where) for name in ("xtl", "ytl", "xbr", "ybr"))
    angle = number(element, "rotation", where, 0)
    if not angle:
        return box(left_, top_, right, bottom)
    return turned_box((left_ + right) / 2, (top_ + bottom) / 2, abs(right - left_), abs(bottom - top_), angle)


def number(element: Element, name: str, where: str, missing: float | None = None) -> float:
    """Return an attribute that is a number.

    Args:
        element: the element.
        name: of the attribute.
        where: what the element belongs to, for the error.
        missing: value where there is no such attribute; None = there must be one.

    Raises:
        MaskError: it is missing, or no finite number.
    """
    text = element.get(name)
    if text is None and missing is not None:
        return missing
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        found = "no" if text is None else f"{text[:40]!r} as"
        raise MaskError(f"{where}: <{element.tag}> has {found} {name}; expected a number.", _REMEDY)
    return value


def whole(element: Element, name: str, where: str, missing: int | None = None) -> int:
    """Return an attribute that is a whole number below a billion; otherwise like :func:`number`."""
    value = number(element, name, where, missing)
    if not float(value).is_integer() or abs(value) >= 10**9:
        raise MaskError(
            f"{where}: <{element.tag}> has {value:g} as {name}; expected a whole number below a billion.", _REMEDY
        )
    return int(value)


def _points(element: Element, where: str) -> list[float]:
    """Return the numbers of ``x,y;x,y``."""
    try:
        return [float(value) for pair in element.get("points", "").split(";") for value in _pair(pair)]
    except ValueError as error:
        raise MaskError(f"{where}: the points of a <{element.tag}> are not x,y;x,y;... ({error}).", _REMEDY) from error


def _pair(text: str) -> Sequence[str]:
    pair = text.split(",")
    if len(pair) != 2:
        raise ValueError(f"{text[:40]!r} is not a point")
    return pair


@dataclass(frozen=True)
class _RowCode:
    """Runs along the rows of a small mask, background first.

    Attributes:
        text: the runs, separated by commas.
        size: (h, w) of the mask.
        where: what it belongs to, for the error.
    """

    text: str
    size: tuple[int, int]
    where: str

    def read(self) -> BoolArray:
        """Decode the runs: bool (h, w)."""
        height, width = run_length.check_size(self.size, self.where)
        try:
            runs = [int(value[:_LONGEST]) for value in self.text.split(",")]
        except ValueError as error:
            raise MaskError(f"{self.where}: its rle is not a list of numbers ({error}).", _REMEDY) from error
        if sum(runs) != height * width:
            raise MaskError(
                f"{self.where}: its rle adds up to {counted(sum(runs), 'pixel')}; expected {width}x{height} = "
                f"{height * width:,}.",
                _REMEDY,
            )
        mask: BoolArray = run_length.decode(runs, (width, height), self.where).T  # which decodes down the columns
        return mask
