"""The PNGs of a project's masks: their names, the palette, and the texts that make one a mark."""

from __future__ import annotations

import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, PngImagePlugin

from cyclevos.errors import MaskError
from cyclevos.naming import index_name
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.palette import DAVIS_PALETTE


@dataclass(frozen=True)
class Mark:
    """A person's annotation of a frame.

    Attributes:
        objects: ids whose pixels, or absence, were given by hand.
        accepted: the frame is finished with all objects as they are; tracking does not change it.
    """

    objects: frozenset[int]
    accepted: bool = False


def mask_path(folder: Path, index: int) -> Path:
    """Return the file of a frame in a folder of masks."""
    return folder / f"{index_name(index)}.png"


def indexed(folder: Path) -> Iterable[tuple[int, Path]]:
    """Return the masks of a folder with their frames' indices."""
    if not folder.is_dir():
        return []
    return [(int(path.stem), path) for path in folder.glob("*.png") if path.stem.isdecimal() and path.stem.isascii()]


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


def read_mark(path: Path) -> Mark:
    """Read a mark from its file's texts.

    Raises:
        MaskError: the file is broken.
    """
    try:
        with Image.open(path) as image:
            texts = dict(image.info)
        objects = frozenset(int(part) for part in str(texts["marked"]).split(",") if part)
        return Mark(objects, texts.get("accepted") == "1")
    except Exception as error:
        raise broken(path, error) from error


def broken(path: Path, error: Exception) -> MaskError:
    """Return what is said of a mask that cannot be read."""
    return MaskError(
        f"{path} cannot be read ({type(error).__name__}). Another program has changed this file of the project.",
        "Move this file out of the project; its frame then counts as unmarked.",
    )
