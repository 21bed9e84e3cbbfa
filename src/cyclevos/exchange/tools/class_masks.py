"""Data sets in PASCAL VOC's layout with a label map, CVAT's "Segmentation mask 1.1": read, and written as ZIP."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, to_track
from cyclevos.exchange.contents.archives import unpacked
from cyclevos.exchange.contents.shapes import BoolArray, Shape
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.tools.label_map import (
    BACKGROUND,
    BORDER,
    LABEL_MAP,
    LabelMap,
    colour_code,
    label_map_text,
    read_codes,
)
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.files.atomic import replacing
from cyclevos.naming import list_masks, size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.palette import DAVIS_PALETTE, palette_colours
from cyclevos.words import counted, names_text

# Shapes: H height, W width.

CLASSES = "SegmentationClass"
"""Folder of the class masks."""
_OBJECTS = "SegmentationObject"  # folder of the instance masks, in which each object of a picture has a colour
_NO_INSTANCE = frozenset(map(colour_code, (BACKGROUND, BORDER)))
# By which colour the objects of a picture are numbered.
_VOC_NUMBERS = {colour_code(colour): k for k, colour in enumerate(palette_colours(None).tolist())}

_Codes = npt.NDArray[np.int64]


def class_folder(path: Path) -> Path | None:
    """Return the folder of class masks that a data set's folder holds, that a path is or in which a file lies.

    Returns:
        None if there is no label map, which gives the masks their meaning.
    """
    for folder in (path / CLASSES, path, path.parent):
        if folder.name == CLASSES and folder.is_dir() and (folder.parent / LABEL_MAP).is_file():
            return folder
    return None


def read_class_masks(files: Sequence[Path], options: ReadOptions) -> MaskTrack:
    """Read class masks, each class being an object; or, if a picture shows several objects of one class, each of them.

    Objects of a class are told apart by the masks in `SegmentationObject`, where there are any.

    Args:
        files: the class masks, in time order; they are read twice.
        options: how to read.

    Returns:
        The masks; their notes say which class became which object.

    Raises:
        MaskError: there are no masks, one is broken or shows an unknown colour, or objects of one class cannot be
            followed from picture to picture.
    """
    if not files:
        raise MaskError(f"There is no mask in {CLASSES}; expected one PNG per picture.", "Export the data set again.")
    folder = files[0].parent
    reader = _Reader(LabelMap(folder.parent / LABEL_MAP))
    frames = [reader.frame(file) for file in files]
    labels = reader.labels
    several = any(region.group is not None for frame in frames for region in frame.regions)
    palette = None if several else _palette(labels)
    track = to_track(frames, folder, options, labels=labels.names, palette=palette)
    if several:
        note = f"{folder}: objects of one class were told apart by {_OBJECTS}: {names_text(track.object_names)}."
    else:
        shown = sorted({int(str(region.label)) for frame in frames for region in frame.regions})
        meanings = (f"{labels.names[i]} ({','.join(map(str, labels.colour(i)))}) is object {i}" for i in shown)
        more = f" and {counted(len(files) - 1, 'other mask')}" if files[1:] else ""
        note = f"{files[0]}{more}: {', '.join(meanings)}." if shown else ""
    return replace(track, name=folder.parent.resolve().name, notes=(note,) if note else ())


def read_data_set(path: Path, options: ReadOptions) -> MaskTrack:
    """Read a data set's folder, or the archive of it; otherwise like :func:`read_class_masks`.

    Raises:
        MaskError: there is no label map with class masks; or as in read_class_masks.
    """
    if not path.is_dir():
        with unpacked(path) as folder:
            track = read_data_set(folder, options)

        def frames() -> Iterator[MaskFrame]:
            with unpacked(path) as folder:
                yield from read_data_set(folder, options).frames()

        return replace(track, frames=frames)
    found = class_folder(path)
    if found is None:
        raise MaskError(f"{path} holds no {LABEL_MAP} beside a folder {CLASSES}.", "Give the data set's folder.")
    return read_class_masks(list_masks(found), options)


def write_class_masks(track: MaskTrack, path: Path) -> None:
    """Write the data set as one ZIP file, as CVAT imports it; each object is a class of its own.

    Args:
        track: the masks; they are read twice.
        path: the file.

    Raises:
        MaskError: the masks cannot be read.
        OutputError: the system refuses to write.
    """
    shown = track.object_ids()
    classes, objects = _colours(shown, track.palette), _colours(shown, DAVIS_PALETTE)
    labels = _labels(shown, track)
    with replacing(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        text = label_map_text({i: (labels[i], classes[i]) for i in shown})
        archive.writestr(zipfile.ZipInfo(LABEL_MAP), text)
        names = []
        for frame in track.frames():
            names.append(frame.name)
            for folder, colours in ((CLASSES, classes), (_OBJECTS, objects)):
                archive.writestr(zipfile.ZipInfo(f"{folder}/{frame.name}.png"), _png(frame.ids, colours))
        archive.writestr(zipfile.ZipInfo("ImageSets/Segmentation/default.txt"), "".join(f"{n}\n" for n in names))


class _Reader:
    """Reads the class mask and the instance mask of a picture, and keeps those of the latest one."""

    def __init__(self, labels: LabelMap) -> None:
        self.labels = labels
        self._latest: tuple[Path, UInt8Array, _Codes | None] | None = None

    def frame(self, file: Path) -> AnnotatedFrame:
        """Return what a picture shows: a region per class, or several where it shows several objects of the class."""
        ids, instances = self.read(file)
        regions = []
        for number in (int(i) for i in np.unique(ids) if i):
            found = set() if instances is None else set(np.unique(instances[ids == number]).tolist())
            if len(found - _NO_INSTANCE) < 2:
                regions.append(Region(_Part(self, file, number), number))
                continue
            if found & _NO_INSTANCE:
                raise MaskError(
                    f"{file}: some pixels of {self.labels.names[number]} belong to none of its "
                    f"{counted(len(found - _NO_INSTANCE), 'object')} in {_OBJECTS}.",
                    "Export both folders together.",
                )
            in_order = sorted(found, key=lambda code: (_VOC_NUMBERS.get(code, 256), code))
            regions += [Region(_Part(self, file, number, each), number, group=each) for each in in_order]
        return AnnotatedFrame(file.name, (ids.shape[0], ids.shape[1]), regions)

    def read(self, file: Path) -> tuple[UInt8Array, _Codes | None]:
        """Return the classes' numbers, and the colours of the instances if there is a mask of them."""
        if self._latest is None or self._latest[0] != file:
            ids = self.labels.read(file)
            beside = file.parent.with_name(_OBJECTS) / file.name
            instances = read_codes(beside)[0] if beside.is_file() else None
            if instances is not None and instances.shape != ids.shape:
                first, other = (size_text((each.shape[0], each.shape[1])) for each in (instances, ids))
                raise MaskError(f"{beside} is {first}, but {file} is {other}.", "Export both folders together.")
            self._latest = file, ids, instances
        return self._latest[1:]


@dataclass(frozen=True)
class _Part(Shape):
    """A class in a picture, or one of its objects.

    Attributes:
        reader: reads the picture.
        file: the class mask.
        number: of the class.
        instance: colour of the object in the instance mask; None = the whole class.
    """

    reader: _Reader
    file: Path
    number: int
    instance: int | None = None

    def draw(self, size: tuple[int, int], where: str) -> BoolArray:
        """Return the pixels; see :meth:`cyclevos.exchange.contents.shapes.Shape.draw`."""
        ids, instances = self.reader.read(self.file)
        if ids.shape != tuple(size):
            raise MaskError(f"{where}: {self.file} has changed while it was read.", "Run the command again.")
        inside: BoolArray = ids == self.number
        return inside if self.instance is None or instances is None else inside & (instances == self.instance)


def _palette(labels: LabelMap) -> bytes:
    colours = [tuple(colour) for colour in palette_colours(None).tolist()]
    for number in labels.names:
        colours[number] = labels.colour(number)
    return bytes(value for colour in colours for value in colour)


def _colours(ids: Sequence[int], palette: bytes | None) -> dict[int, tuple[int, int, int]]:
    """Return a colour for each object that no other one, the background or the border has."""
    taken = {BACKGROUND, BORDER}
    spare = (_rgb(colour) for colour in palette_colours(None))
    found = {}
    for object_id in ids:
        colour = _rgb(palette_colours(palette)[object_id])
        if colour in taken:
            wanted = {_rgb(palette_colours(palette)[each]) for each in ids}
            colour = next(each for each in spare if each not in taken | wanted)
        taken.add(colour)
        found[object_id] = colour
    return found


def _rgb(colour: UInt8Array) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in colour)
    return red, green, blue


def _labels(ids: Sequence[int], track: MaskTrack) -> Mapping[int, str]:
    """Return a label for each object, which must be one line without colons, and no other's."""
    names = {i: re.sub(r"[:\r\n\x00-\x1f\x85\u2028\u2029]", " ", track.appearance.name(i)).strip() for i in ids}
    shared = list(names.values())
    odd = {
        i for i, name in names.items() if shared.count(name) > 1 or not name or re.match("#|background$", name, re.I)
    }
    return {i: f"{name.lstrip('#') or 'object'} {i}" if i in odd else name for i, name in names.items()}


def _png(ids: UInt8Array, colours: Mapping[int, tuple[int, int, int]]) -> bytes:
    table = np.zeros((256, 3), np.uint8)
    for object_id, colour in colours.items():
        table[object_id] = colour
    file = io.BytesIO()
    Image.fromarray(table[ids]).save(file, format="PNG")
    return file.getvalue()
