"""Run-length codes of COCO and MOTS, checked before memory is allocated for them.

pycocotools' decoder does not check its input: counts that do not fill the frame make it read or write out of bounds.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.naming import size_text
from cyclevos.pictures.bounds import MAX_PIXELS
from cyclevos.words import counted

_MAX_STEPS = 2**23
"""Pixels along an outline; pycocotools takes some 100 bytes for each, and does not check that it got them."""
_MAX_ALL_STEPS = 2**25
"""Pixels along all outlines of an object, which take the time."""
_MERGED = 8
_AGAIN = "The file is broken: export it again."


def encode(mask: npt.NDArray[Any]) -> str:
    """Encode a mask, bool or uint8 (H, W), as COCO's compressed counts."""
    from pycocotools import mask as library

    run_length: Any = library  # its functions are untyped
    code = run_length.encode(np.asfortranarray(mask, dtype=np.uint8))
    return str(code["counts"].decode("ascii"))


def decode(counts: str | Sequence[int], size: tuple[int, int], where: str) -> npt.NDArray[np.bool_]:
    """Decode compressed or plain counts.

    Args:
        counts: COCO's text, or the runs themselves: background first, down the columns.
        size: (H, W) in pixels.
        where: what the counts belong to, for the error.

    Returns:
        bool (H, W).

    Raises:
        MaskError: the text is not a code, or its runs do not fill the frame exactly.
    """
    height, width = check_size(size, where)
    runs = _runs(counts, where) if isinstance(counts, str) else list(counts)
    pixels = height * width
    if any(not 0 <= run <= pixels for run in runs):  # apart, since numbers may be too long to be written
        raise MaskError(f"{where}: a run is below 0 or above {width}x{height} = {pixels} pixels.", _AGAIN)
    if sum(runs) != pixels:
        raise MaskError(
            f"{where}: the runs add up to {sum(runs)} pixels; expected {width}x{height} = {pixels}.", _AGAIN
        )
    values = np.arange(len(runs)) % 2 == 1
    mask: npt.NDArray[np.bool_] = np.repeat(values, runs).reshape(width, height).T
    return mask


def is_code(value: Any) -> bool:
    """Return whether a value is a COCO run-length code: a dict with ``size`` and ``counts``."""
    return isinstance(value, Mapping) and {"size", "counts"} <= set(value)


def decode_code(code: Mapping[str, Any], where: str, size: tuple[int, int] | None = None) -> npt.NDArray[np.bool_]:
    """Decode a COCO run-length code, bool (H,W).

    Args:
        code: ``size`` (H, W) and ``counts``: text, bytes or the runs themselves.
        where: what it is, for errors.
        size: that it must have, checked before anything is decoded; None = any that a frame can have.

    Raises:
        MaskError: it is no code, or has another size.
    """
    try:
        height, width = (_whole(side) for side in code["size"])
        counts = code["counts"]
        if isinstance(counts, bytes):
            counts = counts.decode("ascii")
        if not isinstance(counts, str):
            counts = [_whole(run) for run in counts]
    except (TypeError, ValueError, OverflowError) as error:
        raise MaskError(
            f"{where} is a run-length code that cannot be read ({type(error).__name__}: {error}); expected size "
            "[height, width] and counts as text, bytes or a list of numbers.",
            "Encode it again, for example with pycocotools.mask.encode.",
        ) from error
    if size is not None and (height, width) != size:
        raise MaskError(
            f"{where} is a run-length code of {size_text((height, width))} but the frames are {size_text(size)} (width "
            "x height).",
            "Check the order of its size: height first. Give the mask in the frames' size.",
        )
    return decode(counts, (height, width), where)


def _whole(value: Any) -> int:
    """Return a whole number as int; 3.0 is one, too. Raises TypeError for anything else, 3.5 and 3+0j included."""
    return int(value) if isinstance(value, float) and value.is_integer() else operator.index(value)


def from_polygons(polygons: Sequence[Sequence[float]], size: tuple[int, int], where: str) -> npt.NDArray[np.bool_]:
    """Fill polygons as COCO does.

    Args:
        polygons: each x, y, x, y, ... in pixels.
        size: (H, W) in pixels.
        where: what the polygons belong to, for the error.

    Returns:
        bool (H, W).

    Raises:
        MaskError: a polygon has fewer than three points, an odd count of numbers, or lies far outside the frame.
    """
    from pycocotools import mask as library

    height, width = check_size(size, where)
    far = 4 * max(height, width)
    steps: list[int] = []
    for polygon in polygons:
        points = np.asarray(polygon, dtype=float)
        if len(points) < 6 or len(points) % 2 or not (np.abs(points) <= far).all():
            raise MaskError(
                f"{where}: a polygon of {counted(len(points), 'number')}; expected x and y of at least three points, "
                f"in pixels of the {width}x{height} frame.",
                "Correct the polygon or remove it.",
            )
        sides = np.abs(np.diff(points.reshape(-1, 2), axis=0, append=points[None, :2]))
        steps.append(int(np.ceil(sides.max(1)).sum()))
    if max(steps, default=0) > _MAX_STEPS or sum(steps) > _MAX_ALL_STEPS:
        raise MaskError(
            f"{where}: outlines of {sum(steps):,} pixels, the longest of {max(steps):,}; expected at most "
            f"{_MAX_ALL_STEPS:,} and {_MAX_STEPS:,}.",
            "Simplify the outlines, or export the masks as run-length codes.",
        )
    if not polygons:
        return np.zeros(size, bool)
    run_length: Any = library
    codes = run_length.frPyObjects([list(map(float, polygon)) for polygon in polygons], height, width)
    while len(codes) > 1:  # all at once it goes through the whole union for each of them
        codes = [run_length.merge(codes[k : k + _MERGED]) for k in range(0, len(codes), _MERGED)]
    return decode(str(codes[0]["counts"].decode("ascii")), size, where)


def check_size(size: tuple[int, int], where: str) -> tuple[int, int]:
    """Return (H, W) if a frame can have that size.

    Raises:
        MaskError: a side is below 1, or there are too many pixels.
    """
    height, width = size
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise MaskError(
            f"{where}: the size is {width}x{height}; expected a frame of 1 to {MAX_PIXELS} pixels.",
            "Correct the size in the file.",
        )
    return height, width


def _runs(text: str, where: str) -> list[int]:
    """Undo COCO's compression: five bits per character, the sixth bit continues; differences from the third run on."""
    runs: list[int] = []
    value = shift = 0
    for character in text:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > 30:
            raise MaskError(f"{where}: {character!r} does not belong in a run-length code.", _AGAIN)
        value |= (bits & 31) << shift
        shift += 5
        if not bits & 32:
            value -= (1 << shift) if bits & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise MaskError(f"{where}: the run-length code ends in the middle of a number.", _AGAIN)
    return runs
