"""What a person points at in one frame: clicks on an object or beside it, and a box around it. It needs no torch.

Pixels are those of the picture as shown. A click ``(x, y)`` lies in column ``floor(x)`` and row ``floor(y)``; the edges
of a box are lines between pixels, so the box ``0,0,10,5`` holds ten columns and five rows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cyclevos.errors import PromptError
from cyclevos.naming import size_text
from cyclevos.words import counted

MOST_CLICKS = 10_000
"""Clicks that one object may have in one frame; a stroke counts as many clicks."""


class Click(NamedTuple):
    """A click in pixels, x to the right and y downwards.

    Attributes:
        x: from the left edge of the picture.
        y: from its upper edge.
        positive: on the object; else beside it.
    """

    x: float
    y: float
    positive: bool = True

    @property
    def pixel(self) -> tuple[int, int]:
        """Row and column of the pixel clicked."""
        return math.floor(self.y), math.floor(self.x)


class Box(NamedTuple):
    """A box around an object, by its edges in pixels."""

    left: float
    top: float
    right: float
    bottom: float

    def grown(self, share: float) -> Box:
        """Return the box with each edge moved outwards by a share of the longer side.

        >>> Box(10, 10, 20, 30).grown(0.1)
        Box(left=8.0, top=8.0, right=22.0, bottom=32.0)
        """
        by = share * max(self.right - self.left, self.bottom - self.top)
        return Box(self.left - by, self.top - by, self.right + by, self.bottom + by)


@dataclass(frozen=True)
class Prompts:
    """What is said about one object in one frame.

    Attributes:
        clicks: in the order in which they were made.
        box: around the object; None = none was drawn.
    """

    clicks: tuple[Click, ...] = ()
    box: Box | None = None

    def __bool__(self) -> bool:
        return bool(self.clicks) or self.box is not None

    @property
    def only_beside(self) -> bool:
        """Whether they only say what does not belong to the object: then there must be a mask to take away from."""
        return self.box is None and not any(click.positive for click in self.clicks)

    def within(self, size: tuple[int, int]) -> Prompts:
        """Return the prompts for a picture, with the box cut at its edges.

        Args:
            size: (height, width) of the picture.

        Raises:
            PromptError: a click lies outside, or no part of the box lies inside.
        """
        height, width = size
        for click in self.clicks:
            if not (0 <= click.x < width and 0 <= click.y < height):
                raise PromptError(
                    f"The point {_number(click.x)},{_number(click.y)} lies outside the picture of {size_text(size)} "
                    "(width x height).",
                    f"Give x from 0 to {width - 1} and y from 0 to {height - 1}, in pixels of the picture as shown.",
                )
        if self.box is None:
            return self
        left, top = max(0.0, self.box.left), max(0.0, self.box.top)
        right, bottom = min(float(width), self.box.right), min(float(height), self.box.bottom)
        if right <= left or bottom <= top:
            shown = ",".join(map(_number, self.box))
            raise PromptError(
                f"The box {shown} lies outside the picture of {size_text(size)} (width x height).",
                "Give its left, top, right and bottom edge in pixels of the picture as shown.",
            )
        return Prompts(self.clicks, Box(left, top, right, bottom))


VideoPrompts = Mapping[int, Mapping[int, Prompts]]
"""Prompts by frame index, then by object id."""


def prompts_of(points: Any = (), labels: Any = None, box: Any = None) -> Prompts:
    """Read prompts as a Python caller gives them.

    Args:
        points: clicks (N,2), x and y in pixels.
        labels: (N,), 1 for a click on the object and 0 for one beside it; None = all on the object.
        box: left, top, right and bottom edge in pixels; None = none.

    Raises:
        PromptError: they are of another form, a number is not finite, the box is empty or inside out, or there are
            more clicks than `MOST_CLICKS`.
    """
    clicks = [_numbers(point, 2, "point", "x and y") for point in _listed(points, "points")]
    if len(clicks) > MOST_CLICKS:
        raise PromptError(
            f"There are {counted(len(clicks), 'point')}; expected at most {MOST_CLICKS:,}.", "Give fewer."
        )
    signs = [1] * len(clicks) if labels is None else _listed(labels, "labels")
    if len(signs) != len(clicks) or not all(map(_is_sign, signs)):
        raise PromptError(
            f"The labels are {list(signs)[:8]} for {counted(len(clicks), 'point')}; expected 1 or 0 for each point.",
            "Give 1 for a point on the object and 0 for one beside it.",
        )
    made = tuple(Click(x, y, bool(sign)) for (x, y), sign in zip(clicks, signs, strict=True))
    return Prompts(made, None if box is None else _box(box))


def _box(value: Any) -> Box:
    box = Box(*_numbers(value, 4, "box", "left, top, right and bottom"))
    if box.right <= box.left or box.bottom <= box.top:
        raise PromptError(
            f"The box {','.join(map(_number, box))} holds no pixel; expected left < right and top < bottom.",
            "Give its edges as left, top, right and bottom.",
        )
    return box


def _numbers(value: Any, count: int, name: str, meaning: str) -> Sequence[float]:
    try:
        numbers = list(value)
        if isinstance(value, str | bytes) or any(isinstance(number, str | bytes | bool) for number in numbers):
            raise TypeError("text is no number")
        found = [float(number) for number in numbers]
    except (TypeError, ValueError, OverflowError, RuntimeError) as error:
        raise PromptError(f"The {name} is {value!r}; expected {count} numbers.", f"Give {meaning}.") from error
    if len(found) != count or not all(map(math.isfinite, found)):
        raise PromptError(f"The {name} is {value!r}; expected {count} finite numbers.", f"Give {meaning}.")
    return found


def _is_sign(value: Any) -> bool:
    try:
        return bool(value in (0, 1))
    except (TypeError, ValueError, RuntimeError):  # an array or a tensor of several values
        return False


def _listed(value: Any, name: str) -> list[Any]:
    if isinstance(value, str | bytes) or not isinstance(value, Iterable):
        raise PromptError(f"The {name} are {value!r}; expected a list.", "Give a list, even for one.")
    return list(value)


def _number(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e6 else f"{value:.3g}"
