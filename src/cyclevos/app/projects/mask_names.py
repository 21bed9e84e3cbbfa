"""How the files of masks are named in a project's folder: the kind of a mask, then its frame ("marks/00012.png")."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any, Literal, TypeGuard

from cyclevos.naming import index_name

Kind = Literal["marks", "masks", "before"]
"""What a mask is: a person's mark, what tracking made of the frame, or that before its correction."""

KINDS: tuple[Kind, ...] = ("marks", "masks", "before")

_ENDING = ".png"
_MASK_NAME = re.compile(rf"({'|'.join(KINDS)})/\d+{re.escape(_ENDING)}", re.ASCII)


def mask_name(kind: Kind, index: int) -> str:
    """Return the name of a frame's file in a project's folder.

    >>> mask_name("marks", 12)
    'marks/00012.png'
    """
    return f"{kind}/{index_name(index)}{_ENDING}"


def is_mask_name(name: Any) -> TypeGuard[str]:
    """Return whether this is the name of a file of masks in a project's folder, not one elsewhere."""
    return isinstance(name, str) and _MASK_NAME.fullmatch(name) is not None


def kind_of(name: str | PurePath) -> Kind:
    """Return the kind of a file of masks."""
    folder = PurePath(name).parent.name
    return next(kind for kind in KINDS if kind == folder)


def index_of(name: str | PurePath) -> int:
    """Return the index of the frame that a file of masks belongs to."""
    return int(PurePath(name).stem)


def indices_of(names: Iterable[str | PurePath]) -> set[int]:
    """Return the indices of the frames that some files of masks belong to."""
    return set(map(index_of, names))


def masks_in(folder: Path, kind: Kind) -> list[tuple[int, str]]:
    """Return the names of a kind that a project's folder holds, with the indices of their frames."""
    if not (folder / kind).is_dir():
        return []
    with os.scandir(folder / kind) as entries:  # Path.iterdir takes ten times as long, for a list of many long videos
        stems = [entry.name.removesuffix(_ENDING) for entry in entries if entry.name.endswith(_ENDING)]
    return [(int(stem), f"{kind}/{stem}{_ENDING}") for stem in stems if stem.isdecimal() and stem.isascii()]
