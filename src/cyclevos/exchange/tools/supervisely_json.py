"""Supervisely's JSON: one file per picture, or one per video, with bitmaps, polygons and boxes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import Field

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, to_track
from cyclevos.exchange.contents.embedded import embedded_mask
from cyclevos.exchange.contents.json_models import JsonRecord, validated
from cyclevos.exchange.contents.shapes import Patch, Polygons, Shape, box
from cyclevos.exchange.contents.text_files import read_json_file
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.track import MaskTrack
from cyclevos.naming import list_files

_REMEDY = "Give a file of the folder `ann` of a Supervisely project, or that folder."
_WITHOUT_INSIDE = ("point", "line", "graph", "graph_nodes")


class _Size(JsonRecord):
    height: int
    width: int


class _Bitmap(JsonRecord):
    data: str
    origin: tuple[int, int]


class _Points(JsonRecord):
    exterior: list[tuple[float, float]]
    interior: list[list[tuple[float, float]]] = Field(default_factory=list)


class _Geometry(JsonRecord):
    bitmap: _Bitmap | None = None
    points: _Points | None = None


class _Object(_Geometry):
    classTitle: str = ""  # noqa: N815 - the file's own names
    geometryType: str = ""  # noqa: N815
    key: str | None = None
    id: int | None = None


class _Figure(JsonRecord):
    objectKey: str | None = None  # noqa: N815
    objectId: int | None = None  # noqa: N815
    geometryType: str  # noqa: N815
    geometry: _Geometry

    @property
    def owner(self) -> str | int | None:
        """Key or number of the object that the figure belongs to."""
        return self.objectId if self.objectKey is None else self.objectKey


class _Frame(JsonRecord):
    index: int = Field(ge=0)
    figures: list[_Figure] = Field(default_factory=list)


class _File(JsonRecord):
    size: _Size
    objects: list[_Object]
    frames: list[_Frame] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W) of the pictures."""
        return self.size.height, self.size.width


def annotation_folder(path: Path) -> Path:
    """Return the folder of annotations in a data set of Supervisely's layout; else the path."""
    return path / "ann" if (path / "ann").is_dir() else path


def is_supervisely(content: Mapping[str, Any]) -> bool:
    """Return whether a JSON object looks like one of Supervisely's annotations."""
    size = content.get("size")
    return isinstance(content.get("objects"), list) and isinstance(size, dict) and {"height", "width"} <= size.keys()


def read_supervisely(path: Path, options: ReadOptions) -> MaskTrack:
    """Read annotations of pictures, or those of one video.

    In pictures, objects of one class are one object, unless a picture has several. In a video, the file says which
    figures belong to one object. Points and lines, which have no inside, are left out.

    Args:
        path: the file, or a folder of files of pictures.
        options: how to read; its ``overlap`` counts.

    Raises:
        MaskError: a file is broken, holds shapes that are no masks, or the objects cannot be told apart.
    """
    files = list_files(annotation_folder(path), ".json")
    if not files:
        raise MaskError(f"{path} holds no JSON file.", _REMEDY)
    read = [validated(_File, read_json_file(file, _REMEDY), file) for file in files]
    if read[0].frames is not None and len(read) == 1:
        return to_track(_of_video(read[0], read[0].frames, files[0]), path, options)
    pictures = [_of_picture(each, file) for each, file in zip(read, files, strict=True)]
    return to_track(pictures, path, options)


def _of_picture(read: _File, file: Path) -> AnnotatedFrame:
    if read.frames is not None:
        raise MaskError(f"{file} holds the annotations of a video.", "Give the file of one video by itself.")
    regions = []
    for number, each in enumerate(read.objects, start=1):
        shape = _shape(each.geometryType, each, f"{file}, object {number}")
        if shape is not None:
            regions.append(Region(shape, each.classTitle or None))
    return AnnotatedFrame(file.stem, read.shape, regions)  # the file of 00000.jpg is 00000.jpg.json


def _of_video(read: _File, frames: Sequence[_Frame], file: Path) -> list[AnnotatedFrame]:
    titles: dict[str | int | None, str] = {each.key: each.classTitle for each in read.objects}
    titles.update((each.id, each.classTitle) for each in read.objects if each.id is not None)
    found = []
    for frame in frames:
        regions = []
        for number, figure in enumerate(frame.figures, start=1):
            where = f"{file}, frame {frame.index}, figure {number}"
            shape = _shape(figure.geometryType, figure.geometry, where)
            if figure.owner not in titles or figure.owner is None:
                raise MaskError(f"{where}: it belongs to the object {figure.owner}, which the file lacks.", _REMEDY)
            if shape is not None:
                regions.append(Region(shape, titles[figure.owner] or None, figure.owner))
        found.append(AnnotatedFrame("", read.shape, regions, frame.index))
    return found


def _shape(kind: str, geometry: _Geometry, where: str) -> Shape | None:
    """Return what a figure covers; None for points and lines."""
    if kind in _WITHOUT_INSIDE:
        return None
    if kind == "bitmap" and geometry.bitmap is not None:
        (left, top), data = geometry.bitmap.origin, geometry.bitmap.data
        return Patch(left, top, lambda: embedded_mask(data, where))
    points = geometry.points
    if kind == "polygon" and points is not None:
        return Polygons([_flat(points.exterior)], [_flat(ring) for ring in points.interior])
    if kind == "rectangle" and points is not None and len(points.exterior) == 2:
        (x0, y0), (x1, y1) = points.exterior
        return box(min(x0, x1), min(y0, y1), max(x0, x1) + 1, max(y0, y1) + 1)  # the last pixels are inside
    raise MaskError(
        f"{where}: a shape of the type {kind or 'unknown'}, or not as Supervisely writes it; expected a bitmap, a "
        "polygon or a rectangle.",
        "Convert it to a bitmap there, or remove it.",
    )


def _flat(points: Sequence[tuple[float, float]]) -> list[float]:
    return [value for point in points for value in point]
