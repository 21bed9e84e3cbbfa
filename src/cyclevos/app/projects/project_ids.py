"""The ids of projects, which are the names of their folders: what one may be, and which is free."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import count
from pathlib import Path

ID_PATTERN = "[a-z0-9][a-z0-9-]{0,79}"
_ID = re.compile(ID_PATTERN)


def is_id(text: str) -> bool:
    """Return whether a text can be the id of a project; no other leads out of the projects' folder.

    >>> is_id("clip-2"), is_id("../clip")
    (True, False)
    """
    return _ID.fullmatch(text) is not None


def places(projects: Path, wanted: str) -> Iterator[Path]:
    """Yield the folders that a project may get: that of the id which is wanted, then numbered ones."""
    return (projects / (wanted if number == 1 else f"{wanted}-{number}") for number in count(1))
