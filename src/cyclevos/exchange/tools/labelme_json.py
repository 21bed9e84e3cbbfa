"""labelme JSON: one file per picture, with polygons, boxes, circles and pasted masks."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace
from pathlib import Path
from typing import Literal

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, to_track
from cyclevos.exchange.contents.embedded import embedded_mask
from cyclevos.exchange.contents.json_models import JsonRecord, validated
from cyclevos.exchange.contents.shapes import Ellipse, Patch, Polygons, Shape, box
from cyclevos.exchange.contents.text_files import read_json_file
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.track import MaskTrack
from cyclevos.naming import list_files
from cyclevos.words import counted

_REMEDY = "Give a file that labelme saved, or a folder of them."


class _Shape(JsonRecord):
    label: str
    points: list[tuple[float, float]]
    group_id: int | None = None
    shape_type: Literal[
        "polygon", "rectangle", "circle", "mask", "line", "point", "points", "linestrip", "oriented_rectangle"
    ] = "polygon"
    mask: str | None = None


class _File(JsonRecord):
    shapes: list[_Shape]
    imagePath: str = ""  # noqa: N815 - the file's own names
    imageHeight: int  # noqa: N815
    imageWidth: int  # noqa: N815


def read_labelme(path: Path, options: ReadOptions) -> MaskTrack:
    """Read a labelme file, or a folder of them.

    Shapes of one label and `group_id` are one object, in every picture, and the `group_id` is its id if no two labels
    share one. Points and lines, which have no inside, are
    left out. A shape lies above those before it, as labelme shows them.

    Args:
        path: the file or folder.
        options: how to read; its ``overlap`` counts.

    Raises:
        MaskError: a file is broken, or the objects cannot be told apart.
    """
    files = list_files(path, ".json")
    if not files:
        raise MaskError(f"{path} holds no JSON file.", _REMEDY)
    frames = [_frame(file) for file in files]
    labels: dict[Hashable, set[Hashable]] = {}
    for each in (each for frame in frames for each in frame.regions if each.track is not None):
        labels.setdefault(each.group, set()).add(each.label)
    if all(len(each) == 1 for each in labels.values()):
        frames = [
            replace(frame, regions=[replace(each, track=each.group) for each in frame.regions]) for frame in frames
        ]
    return to_track(frames, path, options, stacked=True)


def _frame(file: Path) -> AnnotatedFrame:
    content = validated(_File, read_json_file(file, _REMEDY), file)
    regions = []
    for number, shape in enumerate(content.shapes, start=1):
        drawn = _shape(shape, f"{file}, shape {number}")
        if drawn is not None:
            track = None if shape.group_id is None else (shape.label, shape.group_id)
            regions.append(Region(drawn, shape.label, track, shape.group_id))
    return AnnotatedFrame(content.imagePath or file.stem, (content.imageHeight, content.imageWidth), regions)


def _shape(shape: _Shape, where: str) -> Shape | None:
    """Return what a shape covers; None for points and lines."""
    points, kind = shape.points, shape.shape_type
    if kind in ("polygon", "oriented_rectangle"):
        return Polygons([[value for point in points for value in point]])
    if kind in ("point", "points", "line", "linestrip"):
        return None
    if len(points) != 2:
        raise MaskError(f"{where}: a {kind} has {counted(len(points), 'point')}; expected 2.", _REMEDY)
    (left, top), (right, bottom) = points
    if kind == "rectangle":
        return box(left, top, right, bottom)
    if kind == "circle":  # its centre, and a point of its edge
        radius = math.hypot(right - left, bottom - top)
        return Ellipse(left, top, radius, radius)
    picture = shape.mask or ""
    return Patch(math.floor(left), math.floor(top), lambda: embedded_mask(picture, where))
