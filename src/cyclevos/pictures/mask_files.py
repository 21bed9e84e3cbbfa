"""Reading mask files: the object ids in a PNG of any mode, or in another file that holds ids unchanged.

Shapes: H height, W width. Ids: 0 background, 1..255 objects, gaps allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.errors import MaskError, MissingExtraError
from cyclevos.labels import IGNORE, marks_one_given_object
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import check_pixels
from cyclevos.pictures.exr import read_matte
from cyclevos.pictures.images import is_exr
from cyclevos.pictures.label_pictures import grey_values, open_labels
from cyclevos.pictures.mask_colours import ReadIds, colours_to_ids, grey_to_ids
from cyclevos.pictures.palette import DAVIS_PALETTE, palette_colours
from cyclevos.pictures.transparency import opaque_part
from cyclevos.words import counted, first_line

_HALF = 0.5  # of a matte, from which a pixel is the object's


@dataclass(frozen=True, eq=False)
class MaskImage:
    """The object ids of one frame.

    Attributes:
        ids: uint8 (H, W).
        palette: 768 bytes of RGB to write results with; None if the file has no colours.
        found: id by each value or colour of the file, as text, where the user asked for changes; None = unknown.
        notes: what a user should know about how the file was read.
    """

    ids: UInt8Array
    palette: bytes | None = None
    found: Mapping[str, int | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def object_ids(self) -> tuple[int, ...]:
        """The ids that occur, sorted, without 0; empty for an empty mask."""
        return tuple(int(value) for value in np.unique(self.ids) if value)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels."""
        return self.ids.shape[0], self.ids.shape[1]


def read_mask(path: str | Path, *, fix_mask: bool = False, keep_255: bool = False) -> MaskImage:
    """Read one mask that a user painted or exported.

    If 255 is its only value besides 0, the mask is binary and 255 becomes object 1; with other ids, 255 marks unknown
    pixels, which become background. :func:`cyclevos.exchange.given.given_masks.read_masks` reads several masks of one
    video and decides this for all masks together. For everything else see :func:`read_labels`. What a user should
    know about the mask is told by :func:`cyclevos.pictures.mask_notes.texts`.

    Args:
        path: the file.
        fix_mask: map soft edges and foreign colours to the nearest ids instead of refusing them.
        keep_255: 255 is an id like any other.

    Raises:
        MissingExtraError: it is OpenEXR, and the extra for that is not installed.
        MaskError: the file is broken or its format blurs ids, or its pixels are not ids.
    """
    return given_objects([read_labels(path, fix_mask=fix_mask)], keep_255=keep_255)[0]


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
    return _as_object_1(mask) if binary and marks_one_given_object(mask.object_ids) else mask


def read_labels(path: str | Path, *, fix_mask: bool = False, exact: bool = False) -> MaskImage:
    """Read a mask's labels unchanged; every other reader of masks calls this one.

    Indexed, grey and one-bit PNGs hold the labels themselves. RGB is accepted if it is grey or uses DAVIS colours
    only; pixels that are more than half transparent count as background. In a cut-out, a picture with transparent
    surroundings, the opaque pixels are object 1. TIFF (whole numbers of up to 32 bits), BMP, GIF and lossless WebP are
    read in the same way, mattes of OpenEXR by :func:`cyclevos.pictures.exr.read_matte`.

    Args:
        path: the file.
        fix_mask: map soft edges and foreign colours to the nearest ids instead of refusing them, and note every
            value's id (``found``); also in formats that blur them, such as JPEG.
        exact: accept indexed, 8-bit grey and one-bit PNGs only, and read every grey level as an id, so that masks
            of many tiny objects are not mistaken for smoothed edges.

    Returns:
        Labels 0..255; 255 stays 255.

    Raises:
        MissingExtraError: it is OpenEXR, and the extra for that is not installed.
        MaskError: the file is broken, holds several pictures, its format blurs ids, or its pixels are not ids.
    """
    path = Path(path)
    if is_exr(path) and not exact:
        with _errors_of(path):
            return _noted(_from_matte(read_matte(path), fix_mask), fix_mask)
    with _errors_of(path), open_labels(path, blurred=fix_mask and not exact) as labels:
        if exact and labels.image.format != "PNG":
            raise MaskError(f"is a {labels.image.format} file. Expected PNG.", "Export it as PNG.")
        if len(labels.positions) > 1:
            raise MaskError(
                f"holds {counted(len(labels.positions), 'picture')}. Expected one mask.",
                "To use them as the masks of the first frames, give the file by itself (--masks FILE).",
            )
        image = labels.at(labels.positions[0])
        mask = _exact(image) if exact else _interpret(image, fix_mask)
        return _noted(mask, fix_mask, is_blurred=labels.is_blurred)


def read_label_pages(path: Path, *, fix_mask: bool = False) -> Iterator[MaskImage]:
    """Yield the labels of each picture in a file of several: a TIFF, GIF, WebP or APNG; see :func:`read_labels`.

    Raises:
        MaskError: the file is broken, its format blurs ids, or its pixels are not ids.
    """
    with _errors_of(path), open_labels(path, blurred=fix_mask) as labels:
        for position in labels.positions:
            yield _noted(_interpret(labels.at(position), fix_mask), fix_mask, is_blurred=labels.is_blurred)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Name the file in errors, and make one of ours of whatever decoders raise."""
    try:
        yield
    except MaskError as error:
        raise MaskError(f"{path} {error.problem}", error.remedy) from error
    except MissingExtraError:
        raise
    except Exception as error:  # Pillow's decoders raise almost any exception on broken data
        raise MaskError(
            f"{path} cannot be read as a mask ({type(error).__name__}: {error}). Expected a whole PNG of object ids.",
            "Export it again.",
        ) from error


def _noted(mask: MaskImage, fix_mask: bool, *, is_blurred: bool = False) -> MaskImage:
    """Add what became of every value, if the user asked for changes."""
    if is_blurred:
        note = "its format blurs colours, and every pixel became the nearest of these"
        mask = replace(mask, notes=(*mask.notes, note))
    if fix_mask and not mask.found:
        return replace(mask, found={str(label): int(label) for label in np.unique(mask.ids)})
    return mask


def read_picture(image: Image.Image, where: str) -> MaskImage:
    """Read the labels of a Pillow image of any mode, as :func:`read_labels` reads those of a file.

    Args:
        image: the picture.
        where: what it is, for errors.

    Raises:
        MaskError: it is broken or too large, or its pixels are not ids.
    """
    try:
        check_pixels(*image.size)
        image.load()
        return _interpret(image, fix_mask=False)
    except MaskError as error:
        raise MaskError(f"{where} {error.problem}", error.remedy) from error
    except Exception as error:  # Pillow's decoders raise almost any exception on broken data
        raise MaskError(
            f"{where} is a Pillow image of mode {image.mode} and cannot be read as a mask ({type(error).__name__}: "
            f"{first_line(error)}).",
            "Give its object ids as an integer array (H,W).",
        ) from error


def given_objects(masks: Sequence[MaskImage], *, keep_255: bool = False) -> list[MaskImage]:
    """Decide what 255 means in the masks that a user gives for one video.

    If no mask holds any other id, it is object 1. Beside other ids it marks unknown pixels, which become background.

    Args:
        masks: all masks of the video, as :func:`read_labels` returns them; masks without 255 are returned unchanged.
        keep_255: 255 is an id like any other.
    """
    decide = deciding_255({label for mask in masks for label in mask.object_ids}, keep_255=keep_255)
    return [decide(mask) for mask in masks]


def deciding_255(labels: Collection[int], *, keep_255: bool = False) -> Callable[[MaskImage], MaskImage]:
    """Return what :func:`given_objects` makes of each mask of a video, by the labels of all of them together."""
    if keep_255 or IGNORE not in labels:
        return lambda mask: mask
    if marks_one_given_object(labels):
        return _as_object_1
    return lambda mask: _without_unknown(mask) if (mask.ids == IGNORE).any() else mask


def _as_object_1(mask: MaskImage) -> MaskImage:
    if not mask.ids.any():
        return mask
    found = {value: int(bool(label)) for value, label in mask.found.items()}
    return MaskImage((mask.ids > 0).astype(np.uint8), None, found, mask.notes)


def _without_unknown(mask: MaskImage) -> MaskImage:
    unknown = mask.ids == IGNORE
    count = counted(int(np.count_nonzero(unknown)), "pixel")
    note = f"255 beside other ids marks unknown pixels ({count}), which start no object; --keep-255 makes it an object"
    return MaskImage(
        np.where(unknown, 0, mask.ids).astype(np.uint8),
        mask.palette,
        {value: None if label == IGNORE else label for value, label in mask.found.items()},
        (*mask.notes, note),
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
    if image.mode == "L" or image.mode.startswith(("I", "F")):
        return _with_notes(grey_to_ids(grey_values(image), fix_mask), fix_mask)
    rgb, inside, cut_out, notes = opaque_part(np.array(image.convert("RGBA")))
    if cut_out:
        return MaskImage(
            inside.astype(np.uint8), found={"transparent": 0, "opaque": 1} if fix_mask else {}, notes=notes
        )
    if (rgb == rgb[..., :1]).all():
        return _with_notes(grey_to_ids(rgb[..., 0].astype(np.int64), fix_mask), fix_mask, notes=notes)
    return _with_notes(colours_to_ids(rgb, fix_mask), fix_mask, DAVIS_PALETTE, notes)


def _from_matte(matte: npt.NDArray[np.floating[Any]], fix_mask: bool) -> MaskImage:
    """Turn an OpenEXR picture (H, W) into ids: its whole numbers if they go beyond 1, else what is at least half."""
    if np.isfinite(matte).all() and (matte == np.rint(matte)).all() and matte.max() > 1:
        return _with_notes(grey_to_ids(grey_values(matte), fix_mask), fix_mask)
    inside = matte >= _HALF
    soft = int(np.count_nonzero((matte > 0) & (matte < 1)))
    became = "became object or background, whichever was nearer (threshold at half)"
    notes = (f"{counted(soft, 'soft pixel')} {became}",) if soft else ()
    return MaskImage(inside.astype(np.uint8), notes=notes)


def _with_notes(read: ReadIds, fix_mask: bool, palette: bytes | None = None, notes: tuple[str, ...] = ()) -> MaskImage:
    """Return what was read as a mask; how is only worth a note if the user asked for changes."""
    if read.moved:
        notes = (*notes, f"{counted(read.moved, 'other value')}, along edges, became the nearest of these")
    return MaskImage(read.ids, palette, read.found if fix_mask else {}, notes)


def _palette(image: Image.Image) -> bytes:
    return palette_colours(bytes(image.getpalette("RGB") or b"")).tobytes()
