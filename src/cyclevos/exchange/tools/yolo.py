"""YOLO's text labels for segmentation: one file per picture, one line per object with its class and outline.

Lines are ``class x y x y ...``, lengths as shares of the picture's width and height. Predictions may append a
confidence, a track number, or both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, known_size, to_track
from cyclevos.exchange.contents.shapes import Polygons
from cyclevos.exchange.contents.text_files import read_text_file
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.tools.yolo_classes import CLASS_FILES, Classes, read_classes
from cyclevos.exchange.track import MaskTrack
from cyclevos.naming import IMAGE_SUFFIXES, in_natural_order
from cyclevos.pictures.images import upright_size
from cyclevos.words import counted

# Shapes: H height, W width.

_MAX_BYTES = 2**26
_ASKED = 9  # words of a line, by which it is recognised; a long line's last one may be cut off
_FAR = 0.5  # how far outside the picture a corner may lie, as a share
_EXPECTED = "Export YOLO's segmentation labels: class x y x y ..., as shares of width and height."
_PLACES = ("*.txt", "labels/*.txt", "labels/*/*.txt", "*/labels/*.txt")
"""Where a data set has its labels: in the folder itself, or by Ultralytics' and Roboflow's layouts."""


class _Line(NamedTuple):
    """A line of a file.

    Attributes:
        kind: the class.
        values: the numbers after it.
        whole: the last one is written as a whole number.
        where: file and line, for errors.
    """

    kind: int
    values: list[float]
    whole: bool
    where: str


def label_files(path: Path) -> list[Path]:
    """Return the label files of a data set's folder, in natural order; the file itself if it is one."""
    if not path.is_dir():
        return [path]
    found = {file for pattern in _PLACES for file in path.glob(pattern)}
    return in_natural_order(file for file in found if file.name not in CLASS_FILES and not file.name.startswith("."))


def is_yolo(head: bytes) -> bool:
    """Return whether a text begins as YOLO's labels do, with a class and shares, or with a class and a box."""
    words = head.split(b"\n", 1)[0].split()[:_ASKED]
    try:
        numbers = [float(word) for word in words[1:]]
    except ValueError:
        return False
    if len(numbers) < 4 or not words[0].isdigit() or not all(-_FAR <= number <= 1 + _FAR for number in numbers[:4]):
        return False
    return len(numbers) >= 6 or any(b"." in word for word in words[1:])


def read_yolo(path: Path, options: ReadOptions) -> MaskTrack:
    """Read a label file, or the folder of a data set.

    Objects are told apart by their track numbers, otherwise by their classes.

    Args:
        path: the file or folder.
        options: how to read; its ``overlap`` counts, and its ``size``, to which the outlines are scaled; without a size
            that of the pictures beside the labels.

    Raises:
        MaskError: a line is broken or holds a box, the size is unknown, or the objects cannot be told apart.
    """
    files = label_files(path)
    if not files:
        raise MaskError(f"{path} holds no text file with labels.", _EXPECTED)
    classes = read_classes(files[0].parent)
    if classes.has_keypoints:
        raise MaskError(f"{path} holds poses (kpt_shape), which have no outlines.", _EXPECTED)
    lines = {file: _lines(file) for file in files}
    tail = _tail([line for each in lines.values() for line in each])
    frames = [
        AnnotatedFrame(file.stem, size, [_region(line, tail, classes, size) for line in lines[file]])
        for file in files
        for size in (_size(file, classes, options, path),)
    ]
    return to_track(frames, path, options, video=classes.video, labels=classes.names)


def _lines(file: Path) -> list[_Line]:
    text = read_text_file(file, "YOLO's labels", _EXPECTED, most=_MAX_BYTES, encoding="ascii")
    return [_parsed(line, f"{file}, line {number}") for number, line in enumerate(text.splitlines(), 1) if line.strip()]


def _parsed(text: str, where: str) -> _Line:
    kind, *words = text.split()
    try:
        line = _Line(int(kind), [float(word) for word in words], bool(words) and words[-1].isdigit(), where)
    except ValueError as error:
        raise MaskError(f"{where}: expected a class and numbers, found {text[:60]!r}.", _EXPECTED) from error
    if len(words) in (4, 5):
        raise MaskError(f"{where}: a box (class, centre, width and height), which has no outline.", _EXPECTED)
    if len(words) < 6 or line.kind < 0 or not all(map(math.isfinite, line.values)):
        raise MaskError(
            f"{where}: {counted(len(words), 'number')} after the class {line.kind}; expected x and y of at least three "
            "points.",
            _EXPECTED,
        )
    return line


class _Tail(NamedTuple):
    """What stands behind the points of every line.

    Attributes:
        length: how many numbers.
        has_track: the last one is a track number.
    """

    length: int
    has_track: bool


def _tail(lines: Sequence[_Line]) -> _Tail:
    """Decide from all lines together: one number more than pairs, or a last number that cannot be a share."""
    odd = [line for line in lines if len(line.values) % 2]
    whole = bool(lines) and all(line.whole for line in lines)
    if not odd:  # a confidence and a track number make the count even again
        return _Tail(2, True) if whole and any(line.values[-1] > 1 for line in lines) else _Tail(0, False)
    if len(odd) < len(lines):
        raise MaskError(
            f"{odd[0].where}: {counted(len(odd[0].values), 'number')} after the class, which are not pairs of x and y; "
            "other lines have pairs.",
            _EXPECTED,
        )
    return _Tail(1, whole)


def _region(line: _Line, tail: _Tail, classes: Classes, size: tuple[int, int]) -> Region:
    height, width = size
    shares = line.values[: len(line.values) - tail.length]
    if not all(-_FAR <= share <= 1 + _FAR for share in shares):
        raise MaskError(
            f"{line.where}: the corners reach {max(map(abs, shares)):g}; expected shares of width and height, 0 to 1.",
            _EXPECTED,
        )
    points = [share * (height if place % 2 else width) for place, share in enumerate(shares)]
    track = int(line.values[-1]) if tail.has_track else classes.object_id(line.kind)
    return Region(Polygons([points]), line.kind, track)


def _size(file: Path, classes: Classes, options: ReadOptions, path: Path) -> tuple[int, int]:
    return known_size(options.size or classes.size or _picture_size(file), options, path)


def _picture_size(file: Path) -> tuple[int, int] | None:
    """Return the (H, W) of the picture that a label file is for, beside it or where data sets have it."""
    parts = list(file.parent.parts)
    folders = [file.parent]
    if "labels" in parts:
        last = len(parts) - 1 - parts[::-1].index("labels")
        folders.append(Path(*parts[:last], "images", *parts[last + 1 :]))
    for picture in _pictures(folders, file.stem):
        try:
            return upright_size(picture)
        except (OSError, ValueError) as error:
            raise MaskError(
                f"{picture}, whose size its labels need, cannot be read ({error}).", "Replace it."
            ) from error
    return None


def _pictures(folders: Iterable[Path], stem: str) -> Iterable[Path]:
    for folder in folders:
        for suffix in sorted(IMAGE_SUFFIXES):
            for ending in (suffix, suffix.upper()):
                if (folder / f"{stem}{ending}").is_file():
                    yield folder / f"{stem}{ending}"
