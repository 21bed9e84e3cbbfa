"""Label maps of data sets in PASCAL VOC's layout: the colours and names of classes, as CVAT exports them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.text_files import read_text_file
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import open_picture

# Shapes: H height, W width.

LABEL_MAP = "labelmap.txt"
"""Name of the file beside the folder of masks."""
BACKGROUND = (0, 0, 0)
"""Colour of what belongs to no class."""
BORDER = (224, 224, 192)
"""Colour between objects in masks of PASCAL VOC: unknown pixels."""

_MAX_BYTES = 2**20  # of a label map
_REMEDY = "Correct it, or move it away to read the masks without names."
_OUR_IDS = "# object ids: "


class LabelMap:
    """Colours and names of classes: lines of ``name:red,green,blue:parts:actions``.

    The classes are numbered from 1 in their order; black and the class `background` are background. A label map of ours
    names the classes' object ids in a comment, and these are their numbers.

    Attributes:
        names: by the class's number.

    Args:
        file: the label map.

    Raises:
        MaskError: a line is broken, or there are more than 255 classes.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        lines: list[tuple[str, tuple[int, ...]]] = []
        ids: list[int] = []
        text = read_text_file(file, "a label map", _REMEDY, most=_MAX_BYTES)
        try:
            for line in text.splitlines():
                if line.startswith(_OUR_IDS):
                    ids = [int(value) for value in line.removeprefix(_OUR_IDS).split(",") if value.strip()]
                elif line.strip() and not line.startswith("#"):
                    lines.append(_line(line))
        except ValueError as error:
            raise MaskError(
                f"{file} is not a label map ({error}); expected lines of name:red,green,blue::.",
                _REMEDY,
            ) from error
        classes = {colour: name for name, colour in lines if not _is_background(name, colour)}
        if len(classes) > 255:
            raise MaskError(f"{file} holds {len(classes)} classes; a mask can hold 255.", "Remove some of them.")
        if len(ids) != len(classes) or len(set(ids)) < len(ids) or not all(1 <= i <= 255 for i in ids):
            ids = list(range(1, len(classes) + 1))
        self.names = dict(zip(ids, classes.values(), strict=True))
        self._number = dict(zip(classes, ids, strict=True))
        self._lines = [self._number.get(colour, 0) for _, colour in lines]
        self._background = {BACKGROUND, BORDER} | {colour for name, colour in lines if _is_background(name, colour)}

    def colour(self, number: int) -> tuple[int, ...]:
        """Return the (red, green, blue) of a class."""
        return next(colour for colour, each in self._number.items() if each == number)

    def read(self, path: Path) -> UInt8Array:
        """Read a class mask: in colour, or in grey levels that are the places of the classes in the label map.

        Returns:
            The classes' numbers, uint8 (H, W).

        Raises:
            MaskError: it is broken, or shows a colour that the label map lacks.
        """
        codes, is_grey = read_codes(path)
        ids = np.zeros(codes.shape, np.uint8)
        for code in np.unique(codes):
            colour = (int(code) >> 16, int(code) >> 8 & 255, int(code) & 255)
            number = self._number.get(colour)
            if number is None and colour not in self._background:
                if not is_grey or colour[0] >= len(self._lines):
                    raise MaskError(
                        f"{path} shows the colour ({','.join(map(str, colour))}), which {self.file} lacks.",
                        "Export masks and label map together.",
                    )
                number = self._lines[colour[0]]
            ids[codes == code] = number or 0
        return ids


def label_map_text(classes: Mapping[int, tuple[str, tuple[int, int, int]]]) -> str:
    """Return a label map of objects, with their ids in a comment.

    Args:
        classes: label and colour by object id.

    >>> print(label_map_text({7: ("car", (250, 50, 83))}), end="")
    # label:color_rgb:parts:actions
    # object ids: 7
    background:0,0,0::
    car:250,50,83::
    """
    lines = ["# label:color_rgb:parts:actions", _OUR_IDS + ", ".join(map(str, classes)), "background:0,0,0::"]
    lines += [f"{label}:{','.join(map(str, colour))}::" for label, colour in classes.values()]
    return "\n".join(lines) + "\n"


def colour_code(colour: Sequence[int]) -> int:
    """Return a (red, green, blue) as the number that :func:`read_codes` gives its pixels.

    >>> colour_code((1, 0, 2))
    65538
    """
    red, green, blue = colour
    return red << 16 | green << 8 | blue


def read_codes(path: Path) -> tuple[npt.NDArray[np.int64], bool]:
    """Read the colours of a picture.

    Returns:
        red * 65536 + green * 256 + blue, int64 (H, W); and whether the picture has grey levels only, no colours.

    Raises:
        MaskError: it is broken or too large.
    """
    try:
        with open_picture(path) as image:
            is_grey = image.mode in ("L", "1")
            rgb = np.asarray(image.convert("RGB")).astype(np.int64)  # (H, W, 3)
    except Exception as error:  # Pillow's decoders raise almost any exception on broken data
        raise MaskError(f"{path} cannot be read as a mask ({error}).", "Export it again.") from error
    return rgb[..., 0] << 16 | rgb[..., 1] << 8 | rgb[..., 2], is_grey


def _line(line: str) -> tuple[str, tuple[int, ...]]:
    name, colour = line.split(":")[:2]
    red, green, blue = (int(value) for value in colour.split(","))
    if not all(0 <= value <= 255 for value in (red, green, blue)):
        raise ValueError(f"{colour} is no colour")
    return name, (red, green, blue)


def _is_background(name: str, colour: tuple[int, ...]) -> bool:
    return colour == BACKGROUND or name.strip().lower() == "background"
