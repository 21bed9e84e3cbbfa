"""Masks with an alpha channel: transparent pixels are background, and in a cut-out the opaque ones are the object."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_colours import is_palette_colour, is_picture
from cyclevos.words import counted

_HALF = 128  # alpha from which a pixel is opaque


class Opaque(NamedTuple):
    """The opaque part of a picture.

    Attributes:
        rgb: colours, uint8 (H, W, 3); black outside.
        inside: where the picture is opaque, bool (H, W).
        cut_out: the colours say nothing about objects, so the opaque part is one.
        notes: what a user should know about it.
    """

    rgb: UInt8Array
    inside: npt.NDArray[np.bool_]
    cut_out: bool
    notes: tuple[str, ...]


def opaque_part(rgba: UInt8Array) -> Opaque:
    """Separate a picture (H, W, 4) by its alpha, thresholded at half.

    It is a cut-out if some of it is transparent, and the rest shows a picture, only black, or a single colour that is
    neither grey nor of the DAVIS palette.

    Raises:
        MaskError: something is visible, but nothing is more than half opaque.
    """
    alpha = rgba[..., 3]
    inside = alpha >= _HALF
    soft = int(np.count_nonzero((alpha > 0) & (alpha < 255)))
    if not inside.any() and soft:
        raise MaskError(
            f"is nowhere more than half opaque: alpha reaches {alpha.max()} of 255. Expected opaque objects.",
            "Export it with opaque objects.",
        )
    rgb: UInt8Array = np.where(inside[..., None], rgba[..., :3], 0).astype(np.uint8)
    notes = []
    if soft:
        notes.append(
            f"{counted(soft, 'half-transparent pixel')} became transparent or opaque, whichever was nearer (threshold "
            "at half)"
        )
    cut_out = not inside.all() and inside.any() and _says_nothing(rgba[..., :3][inside])
    if cut_out:
        notes.insert(
            0,
            f"it is a cut-out, so its transparency is the mask: {counted(int(inside.sum()), 'opaque pixel')} "
            f"{'is' if inside.sum() == 1 else 'are'} object 1",
        )
    return Opaque(rgb, inside, bool(cut_out), tuple(notes))


def _says_nothing(colours: UInt8Array) -> bool:
    """Return whether the colours of the opaque pixels (N, 3) do not tell objects apart."""
    first = colours[0]
    if (colours == first).all():
        return not first.any() or not ((first == first[0]).all() or is_palette_colour(first))
    return is_picture(colours)
