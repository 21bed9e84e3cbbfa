"""A frame as a picture, and its mask beside it: blank, for painting in another program, or made from prompts."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from cyclevos.errors import CycleVOSError, OutputError
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.media.frames import Frame
from cyclevos.media.sources import FrameSource
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.images import read_image
from cyclevos.pictures.mask_files import read_labels
from cyclevos.pictures.palette import DAVIS_PALETTE


class FirstMask(NamedTuple):
    """Where a frame and its mask are.

    Attributes:
        picture: the frame as PNG.
        mask: the mask to paint.
        masks: what to give as ``--masks``: the mask itself, or its folder, in which it is named after its frame.
    """

    picture: Path
    mask: Path
    masks: Path


def in_folder(folder: Path, frame: Frame) -> FirstMask:
    """Return the places of a frame and its mask in a folder; such a mask may be that of any frame."""
    masks = folder / "masks"
    return FirstMask(folder / f"{frame.name}.png", masks / f"{frame.name}.png", masks)


def beside(mask: Path) -> FirstMask:
    """Return the places of a mask in a file of its own, which is always that of the first frame, and of its frame."""
    return FirstMask(mask.with_name(f"{mask.stem}-picture.png"), mask, mask)


def refuse_source(places: FirstMask, source: FrameSource) -> None:
    """Refuse to write over the source, or among the frames of a folder.

    Raises:
        OutputError: the picture or the mask would lie there.
    """
    own = source.path.resolve()
    if own in (places.picture.resolve(), places.mask.resolve()):
        raise OutputError(f"{source.path} is the picture itself.", "Choose another name for the mask.")
    if places.picture.parent.resolve() == source.path.resolve():
        raise OutputError(f"{source.path} holds the frames themselves.", "Choose another folder for the mask.")


def write_blank_mask(frame: Frame, places: FirstMask, *, overwrite: bool = False) -> None:
    """Write a frame as PNG, and a blank indexed mask with the DAVIS palette.

    Files that are there already and hold the same are left as they are.

    Args:
        frame: the frame.
        places: of the two files; folders are created.
        overwrite: replace other files.

    Raises:
        OutputError: one of the files holds something else, which may have been painted; or the system refuses to write.
    """
    write_first_mask(frame.image, np.zeros(frame.size, np.uint8), places, overwrite=overwrite)


def write_first_mask(picture: UInt8Array, ids: UInt8Array, places: FirstMask, *, overwrite: bool = False) -> None:
    """Write a picture as PNG, and a mask as indexed PNG with the DAVIS palette; else as :func:`write_blank_mask`.

    Args:
        picture: uint8 RGB (H,W,3).
        ids: uint8 (H,W).
        places: of the two files; folders are created.
        overwrite: replace other files.

    Raises:
        OutputError: see :func:`write_blank_mask`.
    """
    mask_stands = _stands(places.mask, ids, overwrite=overwrite)  # first, as it is what a person may have painted
    picture_stands = _stands(places.picture, picture, overwrite=overwrite)
    with output_errors(places.mask):
        for path in (places.picture, places.mask):
            path.parent.mkdir(parents=True, exist_ok=True)
    if not picture_stands:
        _save(Image.fromarray(picture), places.picture)
    if not mask_stands:
        image = Image.fromarray(ids)
        image.putpalette(DAVIS_PALETTE)
        _save(image, places.mask)


def _stands(path: Path, pixels: UInt8Array, *, overwrite: bool) -> bool:
    """Return whether a file has these pixels already, RGB (H, W, 3) or ids (H, W); refuse what else is there.

    Raises:
        OutputError: it is to be kept.
    """
    if not (path.exists() or path.is_symlink()):
        return False
    try:
        there = read_image(path) if pixels.ndim == 3 else read_labels(path).ids
    except (CycleVOSError, OSError, ValueError, SyntaxError):  # SyntaxError: Pillow's own, of a broken PNG
        there = None
    if there is not None and np.array_equal(there, pixels):
        return True
    if overwrite:
        return False
    raise OutputError(
        f"{path} exists already, and may have been painted.",
        "Choose another --output, or use --overwrite to replace them.",
    )


def _save(image: Image.Image, path: Path) -> None:
    with replacing(path) as temporary, temporary.open("wb") as file:
        image.save(file, format="PNG")
