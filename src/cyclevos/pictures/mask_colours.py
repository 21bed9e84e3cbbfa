"""Object ids from grey levels and colours, and the repair of masks with smoothed edges.

A value is *solid* if it fills some 3x3 block and at least a thousandth of the picture. The values that smoothing
creates along an edge do neither. Shapes: H height, W width, C distinct values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.palette import palette_colours
from cyclevos.words import counted

Int64Array = npt.NDArray[np.int64]

# From this many grey values that never fill a 3x3 block, they are read as a smoothed edge, not as tiny objects.
_SOFT_VALUES = 8
# A hand-painted mask rarely has more evenly coloured objects than this.
_PLAUSIBLE_IDS = 23
# Largest share of edge pixels in a mask that can be repaired.
_MOST_SOFT = 0.5
_BAND = 2**20  # pixels that are counted together


class ReadIds(NamedTuple):
    """Ids, and how they came about.

    Attributes:
        ids: uint8 (H, W).
        found: id by each solid value or colour, as text; empty if the values are the ids.
        moved: number of other values, along smoothed edges, that became the nearest solid one.
    """

    ids: UInt8Array
    found: Mapping[str, int] = {}
    moved: int = 0


def grey_to_ids(values: Int64Array, fix_mask: bool) -> ReadIds:
    """Read grey levels (H, W) as ids.

    Raises:
        MaskError: without `fix_mask`, if levels exceed 255 (0 and 65535 alone are binary), or if an edge is smoothed.
            `fix_mask` renumbers the former and moves the pixels of the latter to the nearest solid level.
    """
    levels, counts = _occurring(values)
    if levels[-1] <= 255 and len(levels) < _SOFT_VALUES:
        return ReadIds(values.astype(np.uint8))  # too few levels for a smoothed edge, solid or not
    if levels[-1] > 255 and set(levels.tolist()) <= {0, 65535}:
        return ReadIds(np.where(values > 0, 255, 0).astype(np.uint8))
    if levels[-1] > 255 and not fix_mask:
        raise MaskError(
            f"has 16-bit values, which reach {levels[-1]}: {_listed(levels, counts)}. Expected ids 0..255, or 0 "
            "and 65535 alone.",
            "Export 8-bit ids, or use --fix-mask of segment or erf to renumber up to 255 objects in the order of "
            "their values.",
        )
    if levels[-1] > 255 and np.count_nonzero(~filling(values, levels)) < _SOFT_VALUES:
        return _numbered_anew(values, levels)
    deep = levels[-1] > 255
    if deep:
        values = values >> 8
        levels, counts = _occurring(values)
    solid = _solid(values, levels, counts)
    if np.count_nonzero(~solid) < _SOFT_VALUES:
        return ReadIds(values.astype(np.uint8), _shortened(levels) if deep else {})
    if not fix_mask:
        raise MaskError(
            f"has {len(levels)} grey values, most of them only along edges: {_listed(levels, counts)}. "
            "Expected one value per object.",
            "Export it without anti-aliasing, or use --fix-mask of segment or erf to move every pixel to the nearest "
            "solid value.",
        )
    _check_repairable(solid, counts)
    anchors = levels[solid]
    nearest = anchors[np.abs(levels[:, None] - anchors[None]).argmin(1)]  # (C,)
    found = _shortened(anchors) if deep else {str(level): int(level) for level in anchors}
    return ReadIds(_looked_up(nearest, levels, values), found, int(np.count_nonzero(~solid)))


def colours_to_ids(rgb: UInt8Array, fix_mask: bool) -> ReadIds:
    """Read colours (H, W, 3) as the ids of the DAVIS palette.

    Raises:
        MaskError: other colours occur and `fix_mask` is off. With it, every solid colour gets the id of the nearest
            of the first palette entries, and every other pixel the id of the nearest solid colour.
    """
    packed = (rgb.astype(np.int64) << np.array([16, 8, 0])).sum(-1)  # (H, W)
    codes, counts = np.unique(packed, return_counts=True)
    palette = palette_colours(None).astype(np.int64)
    exact, found = _palette_entries(codes, palette)
    if exact.all():
        return ReadIds(_looked_up(found, codes, packed), _by_colour(codes, found))
    if not fix_mask:
        raise MaskError(
            f"is RGB with {counted(len(codes), 'colour')}, not all of them DAVIS palette entries: "
            f"{_listed_colours(codes, counts)}. Expected an indexed PNG, or only black (0,0,0), (128,0,0), "
            "(0,128,0) and further palette colours.",
            "Export it indexed, or use --fix-mask of segment or erf, which maps every colour to the nearest palette "
            "entry.",
        )
    solid = _solid(packed, codes, counts)
    _check_repairable(solid, counts)
    colours = _unpack(codes)  # (C, 3)
    ids = _assign_ids(colours[solid], palette[: max(8, np.count_nonzero(solid))])
    # One solid colour at a time: photographs have as many colours as pixels, but few solid ones.
    best = np.full(len(codes), np.inf)
    nearest = np.zeros(len(codes), np.uint8)
    for colour, object_id in zip(colours[solid], ids, strict=True):
        distance = ((colours - colour) ** 2).sum(-1)
        closer = distance < best
        best[closer], nearest[closer] = distance[closer], object_id
    return ReadIds(_looked_up(nearest, codes, packed), _by_colour(codes[solid], ids), int(np.count_nonzero(~solid)))


def is_picture(colours: UInt8Array) -> bool:
    """Return whether pixels (N, 3) are those of a photograph or painting, and not of evenly coloured objects.

    They are if at least half of them have rare colours, which a hundredth of them or fewer, or three, share.
    """
    packed = (colours.astype(np.int64) << np.array([16, 8, 0])).sum(-1)  # (N,)
    counts = np.unique(packed, return_counts=True)[1]
    rare = counts <= max(counts.sum() / 100, 3)
    return len(counts) > _PLAUSIBLE_IDS and bool(counts[rare].sum() >= _MOST_SOFT * counts.sum())


def is_palette_colour(colour: UInt8Array) -> bool:
    """Return whether a colour (3,) is an entry of the DAVIS palette."""
    code = (colour.astype(np.int64) << np.array([16, 8, 0])).sum(-1, keepdims=True)  # (1,)
    return bool(_palette_entries(code, palette_colours(None).astype(np.int64))[0].all())


def _palette_entries(codes: Int64Array, palette: Int64Array) -> tuple[npt.NDArray[np.bool_], Int64Array]:
    """Return for every colour (C,) whether it is in the palette, and at which index.

    All entries are multiples of 32, but the DAVIS data set itself writes 191 for 192, so a difference of 1 is
    accepted.
    """
    colours = _unpack(codes)
    rounded = (colours + 1) & ~31  # (C, 3)
    close = (np.abs(colours - rounded) <= 1).all(-1)
    rounded_codes = (rounded << np.array([16, 8, 0])).sum(-1)
    palette_codes = (palette << np.array([16, 8, 0])).sum(-1)  # (256,)
    order = np.argsort(palette_codes)
    found = order[np.searchsorted(palette_codes[order], rounded_codes).clip(max=255)]
    return close & (palette_codes[found] == rounded_codes), found


def _looked_up(ids: npt.NDArray[np.integer], levels: Int64Array, values: Int64Array) -> UInt8Array:
    """Replace every value (H, W) with the id of its level; ids and levels are (C,)."""
    picture: UInt8Array = ids[np.searchsorted(levels, values)].astype(np.uint8)
    return picture


def _by_colour(codes: Int64Array, ids: npt.NDArray[np.integer] | list[int]) -> dict[str, int]:
    """Return the id of each colour, as text, in the order of the ids; codes and ids are (C,)."""
    pairs = zip(_unpack(codes).tolist(), map(int, ids), strict=True)
    return {f"({r},{g},{b})": object_id for (r, g, b), object_id in sorted(pairs, key=lambda pair: pair[1])}


def _shortened(levels: Int64Array) -> dict[str, int]:
    """Return the ids of 16-bit levels, of which the upper byte is kept; levels are (C,) from 0 to 255."""
    return {f"{level << 8} to {(level << 8) | 255}": int(level) for level in levels}


def _numbered_anew(values: Int64Array, levels: Int64Array) -> ReadIds:
    """Renumber 16-bit ids (H, W), such as those of KITTI MOTS, from 1 in the order of their levels (C,)."""
    objects = levels[levels > 0]
    if len(objects) > 255:
        raise MaskError(
            f"holds {len(objects)} objects; expected 255 or fewer.", "Split the objects into several masks."
        )
    numbers = np.searchsorted(objects, levels, side="right")  # (C,); 0 comes before all objects
    found = {str(level): int(number) for level, number in zip(levels, numbers, strict=True)}
    return ReadIds(_looked_up(numbers, levels, values), found)


def _occurring(values: Int64Array) -> tuple[Int64Array, Int64Array]:
    """Return the levels that occur in a picture (H, W) of 0 to 65535, ascending, and how often, both (C,).

    Row by row, since sorting a large picture takes a second copy of it and many seconds.
    """
    counts = np.zeros(65536, np.int64)
    rows = max(1, _BAND // values.shape[1])
    for top in range(0, len(values), rows):
        found = np.bincount(values[top : top + rows].ravel())
        counts[: len(found)] += found
    levels = np.flatnonzero(counts)
    return levels, counts[levels]


def _solid(values: Int64Array, levels: Int64Array, counts: Int64Array) -> npt.NDArray[np.bool_]:
    """Return for every level (C,) whether it is solid."""
    small = min(values.shape) < 3
    big: npt.NDArray[np.bool_] = (counts * 1000 >= values.size) | small
    return filling(values, levels) & big


def filling(values: Int64Array, levels: Int64Array) -> npt.NDArray[np.bool_]:
    """Return for every level (C,) whether it fills some 3x3 block; true for all if the picture is too small."""
    if min(values.shape) < 3:
        return np.ones(len(levels), np.bool_)
    height, width = values.shape
    centre = values[1:-1, 1:-1]
    filled = np.ones(centre.shape, np.bool_)
    for y in range(3):
        for x in range(3):
            filled &= values[y : height - 2 + y, x : width - 2 + x] == centre
    return np.isin(levels, np.unique(centre[filled]))


def _check_repairable(solid: npt.NDArray[np.bool_], counts: Int64Array) -> None:
    soft = counts[~solid].sum() / counts.sum()
    if not solid.any() or soft > _MOST_SOFT or np.count_nonzero(solid) > _PLAUSIBLE_IDS:
        raise MaskError(
            f"looks like a picture, not like a mask: it has {np.count_nonzero(solid)} solid values, and {soft:.0%} of "
            f"its pixels have other values. Expected up to {_PLAUSIBLE_IDS - 1} evenly coloured objects.",
            "Check that this is the right file.",
        )


def _assign_ids(colours: Int64Array, palette: Int64Array) -> list[int]:
    """Give each colour the nearest entry that is still free, the closest pairs first; (C, 3) -> C ids."""
    distances = ((colours[:, None] - palette[None]) ** 2).sum(-1).astype(float)  # (C, entries)
    ids = [0] * len(colours)
    for _ in range(len(colours)):
        row, entry = np.unravel_index(int(distances.argmin()), distances.shape)
        ids[int(row)] = int(entry)
        distances[row], distances[:, entry] = np.inf, np.inf
    return ids


def _unpack(codes: Int64Array) -> Int64Array:
    return np.stack([codes >> 16, (codes >> 8) & 255, codes & 255], axis=-1)


def _listed(levels: Int64Array, counts: Int64Array) -> str:
    top = np.argsort(-counts, kind="stable")[:6]
    return _joined([f"{levels[k]} ({counted(int(counts[k]), 'pixel')})" for k in top], len(levels))


def _listed_colours(codes: Int64Array, counts: Int64Array) -> str:
    top = np.argsort(-counts, kind="stable")[:6]
    shown = zip(counts[top].tolist(), _unpack(codes[top]), strict=True)
    return _joined([f"({r},{g},{b}) {counted(count, 'pixel')}" for count, (r, g, b) in shown], len(codes))


def _joined(texts: list[str], total: int) -> str:
    return ", ".join(texts) + (", ..." if total > len(texts) else "")
