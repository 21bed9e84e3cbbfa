"""One picture's objects as black-and-white PNGs in one folder: `car.png` beside `box.png`, or Label Studio's names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, to_track
from cyclevos.exchange.contents.shapes import BoolArray, Shape
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.frame_matching import mean_frames
from cyclevos.exchange.object_names import is_run
from cyclevos.exchange.track import MaskTrack
from cyclevos.naming import list_masks, size_text
from cyclevos.pictures.headers import declared_size
from cyclevos.pictures.mask_files import MaskImage, read_labels
from cyclevos.pictures.palette import palette_colours
from cyclevos.words import counted

_MOST = 255
_NUMBERED = re.compile(r"(object|obj|id|instance|inst|label|mask)?[ _-]*0*([0-9]{1,3})", re.I)
_LABEL_STUDIO = re.compile(r"task-(?P<task>\d+)-annotation-(?P<annotation>\d+)-by-.*?-tag-(?P<tag>.+)-\d+")


def looks_flat(folder: Path) -> bool:
    """Return whether a folder's PNGs are the objects of one picture, judged by names and pixels.

    There are two or more, their names do not mean frames, and each is black and white. All have one size, and no two
    share a pixel, which masks of one object in successive frames nearly always do.
    """
    files = list_masks(folder)
    if not files or is_run(folder):
        return False
    if all(_LABEL_STUDIO.fullmatch(file.stem) for file in files):
        return True
    return not mean_frames([file.stem for file in files]) and are_disjoint(files)


def are_disjoint(files: Sequence[Path]) -> bool:
    """Return whether pictures are two or more black-and-white masks of one size, none empty, that share no pixel."""
    if not 2 <= len(files) <= _MOST or len({_size(file) for file in files}) > 1:
        return False
    taken: BoolArray | None = None
    for file in files:
        try:
            mask = read_labels(file)
        except MaskError:
            return False
        inside = mask.ids > 0
        if not _is_black_and_white(mask):
            return False
        if taken is not None and (taken.shape != inside.shape or (taken & inside).any()):
            return False
        taken = inside if taken is None else taken | inside
    return True


def read_flat(folder: Path, options: ReadOptions) -> MaskTrack:
    """Read the objects of one picture, which is the video's first frame.

    `object_3.png` and `3.png` are object 3 if all are named so. Otherwise the files' names are those of the objects,
    which are numbered in natural order; in Label Studio's exports the names are the tags.

    Args:
        folder: the folder.
        options: how to read; its ``overlap`` counts.

    Raises:
        MaskError: there is no mask or one is broken, they differ in size, overlap, or are of several pictures.
    """
    files = list_masks(folder)
    if not files:
        raise MaskError(f"{folder} holds no PNG.", "Give a folder of black-and-white PNGs, one per object.")
    sizes = {_size(file): file for file in files}
    if len(sizes) > 1:
        (first, one), (other, two) = list(sizes.items())[:2]
        raise MaskError(
            f"{one} is {_text(first)}, but {two.name} is {_text(other)}; expected the objects of one picture.",
            "Export the masks of all objects in one size.",
        )
    regions = [
        Region(_Object(file), label, track) for file, (label, track) in zip(files, _labels(folder, files), strict=True)
    ]
    width, height = next(iter(sizes)) or (1, 1)
    track = to_track([AnnotatedFrame("", (height, width), regions)], folder, options)
    note = f"{folder}: its {counted(len(files), 'PNG')} {'is' if len(files) == 1 else 'are'} read as the first frame's "
    return replace(track, notes=(note + ("object." if len(files) == 1 else "objects."),))


@dataclass(frozen=True)
class _Object(Shape):
    """A black-and-white PNG.

    Attributes:
        file: the PNG.
    """

    file: Path

    def draw(self, size: tuple[int, int], where: str) -> BoolArray:
        """Return what is not black; see :meth:`cyclevos.exchange.contents.shapes.Shape.draw`."""
        mask = read_labels(self.file)
        if not _is_black_and_white(mask):
            raise MaskError(
                f"{self.file} holds {counted(len(mask.object_ids), 'value')} besides 0; expected one, the object.",
                "Export a black-and-white PNG per object.",
            )
        if mask.size != tuple(size):
            raise MaskError(
                f"{where}: {self.file} is {size_text(mask.size)}, not {size_text(size)}.", "Export it again."
            )
        inside: BoolArray = mask.ids > 0
        return inside


def _labels(folder: Path, files: Sequence[Path]) -> list[tuple[str | None, int | None]]:
    """Return the label and the number of each object."""
    exported = [match for match in (_LABEL_STUDIO.fullmatch(file.stem) for file in files) if match is not None]
    if len(exported) == len(files):
        pictures = sorted({f"task {each['task']}, annotation {each['annotation']}" for each in exported})
        if len(pictures) > 1:
            raise MaskError(
                f"{folder} holds masks of {counted(len(pictures), 'annotation')} of Label Studio ({pictures[0]}; "
                f"{pictures[1]}; ...), and their names do not say which frames these are.",
                "Give a folder with those of one annotation, which is the first frame's, or export JSON.",
            )
        return [(each["tag"], None) for each in exported]
    numbers = [_NUMBERED.fullmatch(file.stem) for file in files]
    ids = [int(each[2]) for each in numbers if each is not None]
    if len(ids) == len(files) == len(set(ids)) and all(1 <= i <= _MOST for i in ids):
        return [(None, i) for i in ids]
    return [(file.stem, None) for file in files]


def _is_black_and_white(mask: MaskImage) -> bool:
    """Return whether a mask has one value besides 0, and no colour for it."""
    shown = mask.object_ids
    if len(shown) != 1:
        return False
    colour = palette_colours(mask.palette)[shown[0]] if mask.palette is not None else np.zeros(3)
    return bool((colour == colour[0]).all())


def _size(file: Path) -> tuple[int, int] | None:
    try:
        return declared_size(file)
    except OSError:
        return None


def _text(size: tuple[int, int] | None) -> str:
    return "no whole PNG" if size is None else size_text((size[1], size[0]))
