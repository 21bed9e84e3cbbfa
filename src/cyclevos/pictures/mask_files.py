"""Masks in: what an image file of object ids means, and which frame it belongs to.

Shapes: H height, W width. Ids: 0 background, 1..255 objects, gaps allowed.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_colours import colours_to_ids, grey_to_ids
from cyclevos.pictures.palette import DAVIS_PALETTE, palette_colours

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class MaskImage:
    """The object ids of one frame.

    Attributes:
        ids: uint8 (H, W).
        palette: 768 bytes of RGB to write results with, None where the file had no colours.
    """

    ids: UInt8Array
    palette: bytes | None = None

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The ids that occur, sorted, without 0; empty for an empty mask."""
        return tuple(int(value) for value in np.unique(self.ids) if value)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.ids.shape[0], self.ids.shape[1]


def read_mask(path: str | Path, *, fix_mask: bool = False) -> MaskImage:
    """Read a mask that a user painted or exported, as PNG.

    Indexed and grey PNGs hold the ids themselves. A mask of nothing but 0 and 255 (or of one bit) is a
    binary one: 255 means object 1. Next to other ids 255 is an id like any other. RGB is accepted where it is
    grey or uses DAVIS colours only; transparent pixels count as background.

    Args:
        path: the file.
        fix_mask: snap soft edges and foreign colours to the ids they are nearest to, instead of refusing.

    Raises:
        MaskError: the file is no PNG, is broken, or its pixels are no ids.
    """
    return _binary_to_one(_read_ids(Path(path), fix_mask))


def read_ground_truth(path: str | Path, *, binary: bool = False) -> MaskImage:
    """Read a data set's mask, in which 255 marks pixels to ignore and stays 255.

    Args:
        path: the PNG.
        binary: the data set has one object, written as 255 (DAVIS-2016): a mask of nothing but 0 and 255
            becomes one of 0 and 1. Others are left alone.

    Raises:
        MaskError: as in read_mask.
    """
    mask = _read_ids(Path(path), fix_mask=False)
    return _binary_to_one(mask) if binary else mask


def _read_ids(path: Path, fix_mask: bool) -> MaskImage:
    try:
        with Image.open(path) as image:
            image.load()
            kind = image.format
            return _interpret(image, fix_mask) if kind == "PNG" else _refuse_format(path, kind)
    except MaskError as error:
        raise MaskError(f"{path}: {error}") from error
    except Exception as error:  # Pillow's decoders raise nearly everything on broken data
        raise MaskError(
            f"{path} cannot be read as a mask ({type(error).__name__}: {error}). Expected a whole PNG of "
            "object ids: export it again."
        ) from error


def _refuse_format(path: Path, kind: str | None) -> MaskImage:
    raise MaskError(
        f"the file is {kind}, expected PNG. Other formats blur or renumber ids: export the mask as an "
        f"indexed or grey PNG ({path.stem}.png)."
    )


def _interpret(image: Image.Image, fix_mask: bool) -> MaskImage:
    """Turn a loaded image of any mode into ids."""
    if image.mode == "P":
        colours = palette_colours(bytes(image.getpalette("RGB") or b""))
        return MaskImage(np.array(image, dtype=np.uint8), colours.tobytes())
    if image.mode == "1":
        return MaskImage(np.array(image).astype(np.uint8))
    if image.mode == "L" or image.mode.startswith("I"):
        return MaskImage(grey_to_ids(np.asarray(image).astype(np.int64), fix_mask))
    straight = image.convert("RGBA")
    black = Image.new("RGBA", straight.size, (0, 0, 0, 255))
    rgb = np.array(Image.alpha_composite(black, straight))[..., :3]  # (H, W, 3)
    if (rgb == rgb[..., :1]).all():
        return MaskImage(grey_to_ids(rgb[..., 0].astype(np.int64), fix_mask))
    return MaskImage(colours_to_ids(rgb, fix_mask), DAVIS_PALETTE)


def _binary_to_one(mask: MaskImage) -> MaskImage:
    if mask.object_ids == (255,):
        return MaskImage((mask.ids > 0).astype(np.uint8), None)
    return mask
