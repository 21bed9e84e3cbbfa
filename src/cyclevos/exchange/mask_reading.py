"""How the masks that a user gives are read."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class MaskReading:
    """What to do with a user's masks that do not fit.

    Attributes:
        fit: resize masks of another size (nearest neighbour) instead of refusing them.
        fix: map soft edges and foreign colours to the nearest ids instead of refusing them.
    """

    fit: bool = False
    fix: bool = False


STRICT = MaskReading()
"""Refuses every mask that would have to be changed."""
