"""Reading mask files: the object ids in a PNG of any mode.

Shapes: H height, W width. Ids: 0 background, 1..255 objects, gaps allowed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.labels import marks_one_object
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import open_picture
from cyclevos.pictures.mask_colours import colours_to_ids, grey_to_ids
from cyclevos.pictures.palette import DAVIS_PALETTE, palette_colours


@dataclass(frozen=True, eq=False)
class MaskImage:
    """The object ids of one frame.

    Attributes:
        ids: uint8 (H, W).
        palette: 768 bytes of RGB to write results with; None if the file has no colours.
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
    """Read one mask that a user painted or exported, as PNG.

    If 255 is its only value besides 0, the mask is binary and 255 becomes object 1; with other ids, 255 is an id
    like any other. :func:`cyclevos.exchange.given_masks.read_masks` reads several masks of one video and decides this
    for all masks together. For everything else see :func:`read_labels`.

    Args:
        path: the file.
        fix_mask: map soft edges and foreign colours to the nearest ids instead of refusing them.

    Raises:
        MaskError: the file is not a PNG or is broken, or its pixels are not ids.
    """
    return one_object_to_1([read_labels(path, fix_mask=fix_mask)])[0]


def read_ground_truth(path: str | Path, *, binary: bool = False) -> MaskImage:
    """Read one mask of a data set or of a run, in which 255 stays 255.

    Args:
        path: the PNG.
        binary: 255 is the data set's only object (DAVIS-2016): in a mask that holds only 0 and 255, 255 becomes 1.
            To decide this from all masks of a sequence, use `SequenceMasks`.

    Raises:
        MaskError: as in read_labels.
    """
    mask = read_labels(path)
    return one_object_to_1([mask])[0] if binary else mask


def read_labels(path: str | Path, *, fix_mask: bool = False, exact: bool = False) -> MaskImage:
    """Read a mask's labels unchanged; every other reader of masks calls this one.

    Indexed, grey and one-bit PNGs hold the labels themselves. RGB is accepted if it is grey or uses DAVIS colours
    only; transparent pixels count as background.

    Args:
        path: the PNG.
        fix_mask: map soft edges and foreign colours to the nearest ids instead of refusing them.
        exact: accept indexed, 8-bit grey and one-bit images only, and read every grey level as an id, so that masks
            of many tiny objects are not mistaken for smoothed edges.

    Returns:
        Labels 0..255; 255 stays 255.

    Raises:
        MaskError: the file is not a PNG or is broken, or its pixels are not ids.
    """
    path = Path(path)
    try:
        with open_picture(path) as image:
            if image.format != "PNG":
                raise _wrong_format(path, image.format)
            image.load()
            return _exact(image) if exact else _interpret(image, fix_mask)
    except MaskError as error:
        raise MaskError(f"{path} {error.problem}", error.remedy) from error
    except Exception as error:  # Pillow's decoders raise almost any exception on broken data
        raise MaskError(
            f"{path} cannot be read as a mask ({type(error).__name__}: {error}). Expected a whole PNG of object ids.",
            "Export it again.",
        ) from error


def one_object_to_1(masks: Sequence[MaskImage]) -> list[MaskImage]:
    """Turn 255 into object 1 if it is the only label in the masks of one video.

    Args:
        masks: all masks of the video; masks without 255 are returned unchanged.
    """
    # A painted mask may cover the whole frame: 255 is then the object, unlike in a data set.
    if not marks_one_object({0, *(label for mask in masks for label in mask.object_ids)}):
        return list(masks)
    return [MaskImage((mask.ids > 0).astype(np.uint8), None) if mask.ids.any() else mask for mask in masks]


def _wrong_format(path: Path, kind: str | None) -> MaskError:
    return MaskError(
        f"is a {kind} file. Expected PNG, because other formats blur or renumber ids.",
        f"Export the mask as an indexed or grey PNG ({path.stem}.png).",
    )


def _exact(image: Image.Image) -> MaskImage:
    """Read the pixel values of a loaded image as ids."""
    if image.mode not in {"P", "L", "1"}:
        raise MaskError(
            f"is an image of mode {image.mode}; expected an indexed or 8-bit grey PNG whose pixel values are ids.",
            "Convert it to one.",
        )
    ids = np.asarray(image, dtype=np.uint8)  # (H, W); a one-bit image gives 0 and 1
    return MaskImage(ids, _palette(image) if image.mode == "P" else None)


def _interpret(image: Image.Image, fix_mask: bool) -> MaskImage:
    """Turn a loaded image of any mode into ids."""
    if image.mode == "P":
        return MaskImage(np.array(image, dtype=np.uint8), _palette(image))
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


def _palette(image: Image.Image) -> bytes:
    return palette_colours(bytes(image.getpalette("RGB") or b"")).tobytes()
