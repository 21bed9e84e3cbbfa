"""How the masks that a user gives are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Overlap = Literal["error", "first", "last"]
Turn = Literal["no", "left", "right", "auto"]


@dataclass(frozen=True)
class MaskReading:
    """What to do with a user's masks that do not fit.

    Attributes:
        fit: resize masks of another size (nearest neighbour) instead of refusing them.
        fix: map soft edges and foreign colours to the nearest ids instead of refusing them.
        turn: turn masks by 90 degrees, or (``auto``) as the EXIF orientation of their frames says.
        keep_255: 255 is an id like any other, not the only object of a black-and-white mask, nor unknown pixels.
        format: name of their format; None = it is recognised.
        overlap: which object gets a pixel that two claim.
    """

    fit: bool = False
    fix: bool = False
    turn: Turn = "no"
    keep_255: bool = False
    format: str | None = None
    overlap: Overlap = "error"


STRICT = MaskReading()
"""Refuses every mask that would have to be changed."""
