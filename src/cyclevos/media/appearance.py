"""How the objects of a video look and what they are called: one value for everything that shows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cyclevos.files.names import encodable, safe_name


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

    def __post_init__(self) -> None:
        """Make names of any source ones that can be written."""
        written = {object_id: encodable(name) for object_id, name in self.names.items()}
        if written != self.names:  # otherwise it stays the caller's, who may learn of more names later
            object.__setattr__(self, "names", written)

    def name(self, object_id: int) -> str:
        """Return an object's name, ``object 2`` where it has none."""
        return self.names.get(object_id, f"object {object_id}")

    def file_name(self, object_id: int) -> str:
        """Return the name of an object's file or folder among those of other objects, without an ending.

        Example:
            >>> Appearance(names={2: "brown dog"}).file_name(2), Appearance().file_name(2)
            ('002_brown dog', '002')
        """
        name = self.names.get(object_id)
        return f"{object_id:03d}" if name is None else f"{object_id:03d}_{safe_name(name, 'object', longest=60)}"


PLAIN = Appearance()
"""The DAVIS palette, and no names."""
