"""The PNGs of a project's masks: the palette, and the texts that make one a mark."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, PngImagePlugin

from cyclevos.errors import MaskError
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import open_picture
from cyclevos.pictures.palette import DAVIS_PALETTE

Stored = Path | io.BytesIO
"""A file of a mask, or what it held once."""

_MOVE_IT = "Move this file out of the project; its frame then counts as unmarked."


@dataclass(frozen=True)
class Mark:
    """A person's annotation of a frame.

    Attributes:
        objects: ids whose pixels, or absence, were given by hand.
        accepted: the frame is finished with all objects as they are; tracking does not change it.
    """

    objects: frozenset[int]
    accepted: bool = False


def encode(ids: UInt8Array, mark: Mark | None = None) -> bytes:
    """Return a mask (H,W) as indexed PNG; a mark is told in its texts."""
    info = PngImagePlugin.PngInfo()
    if mark is not None:
        info.add_text("marked", ",".join(map(str, sorted(mark.objects))))
        info.add_text("accepted", "1" if mark.accepted else "0")
    image = Image.fromarray(ids)
    image.putpalette(DAVIS_PALETTE)
    data = io.BytesIO()
    image.save(data, format="PNG", pnginfo=info, compress_level=1)
    return data.getvalue()


def read_ids(file: Stored, size: tuple[int, int]) -> UInt8Array:
    """Read the ids of a mask.

    Args:
        file: the file, or what it held once.
        size: (H,W) that the mask must have.

    Raises:
        MaskError: the file is broken, or of another size.
    """
    return _read(file, size)[0]


def read_annotation(file: Stored, size: tuple[int, int]) -> tuple[UInt8Array, Mark]:
    """Read the ids of a mark and the mark; both are of one file, whose place another one may take at any time.

    Raises:
        MaskError: the file is broken, or of another size.
    """
    ids, texts = _read(file, size)
    return ids, _mark(file, texts)


def read_mark(file: Stored) -> Mark:
    """Read a mark alone.

    Raises:
        MaskError: the file is broken.
    """
    try:
        with Image.open(file) as image:
            texts = dict(image.info)
    except Exception as error:  # Pillow's decoders raise nearly everything on broken data
        raise _broken(file, error) from error
    return _mark(file, texts)


def _read(file: Stored, size: tuple[int, int]) -> tuple[UInt8Array, Mapping[Any, Any]]:
    try:
        with open_picture(file) if isinstance(file, Path) else Image.open(file) as image:
            found, texts = image.size[::-1], dict(image.info)
            ids = np.array(image, dtype=np.uint8) if found == size else None
    except Exception as error:
        raise _broken(file, error) from error
    if ids is None or ids.shape != size:
        shape = size_text(found) if ids is None else "x".join(map(str, ids.shape[::-1]))
        raise MaskError(f"{_named(file)} is {shape} but the video is {size_text(size)} (width x height).", _MOVE_IT)
    return ids, texts


def _mark(file: Stored, texts: Mapping[Any, Any]) -> Mark:
    try:
        objects = frozenset(int(part) for part in str(texts["marked"]).split(",") if part)
    except (KeyError, ValueError) as error:
        raise _broken(file, error) from error
    return Mark(objects, texts.get("accepted") == "1")


def _broken(file: Stored, error: Exception) -> MaskError:
    problem = f"{_named(file)} cannot be read ({type(error).__name__})."
    return MaskError(f"{problem} Another program has changed this file of the project.", _MOVE_IT)


def _named(file: Stored) -> str:
    return str(file) if isinstance(file, Path) else "A mask in the project's history"
