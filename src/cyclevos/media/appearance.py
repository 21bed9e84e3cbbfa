"""How the objects of a video look and what they are called: one value for everything that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Appearance:
    """Colours and names of the objects of one video.

    Attributes:
        palette: 768 bytes of RGB, the colour of each id, usually the input mask's; None for the DAVIS palette.
        names: names by object id, for the objects that have one.

    Example:
        >>> Appearance(names={2: "dog"}).name(2), Appearance().name(2)
        ('dog', 'object 2')
    """

    palette: bytes | None = None
    names: Mapping[int, str] = field(default_factory=dict)

    def name(self, object_id: int) -> str:
        """Return an object's name, ``object 2`` where it has none."""
        return self.names.get(object_id, f"object {object_id}")


PLAIN = Appearance()
"""The DAVIS palette, and no names."""
