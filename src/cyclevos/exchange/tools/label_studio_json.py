"""Label Studio's JSON: tasks with brush strokes, polygons, boxes and ellipses, as it exports (JSON, JSON-MIN)."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote, urlsplit

from pydantic import Field

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, to_track
from cyclevos.exchange.contents.embedded import embedded_mask
from cyclevos.exchange.contents.json_models import JsonRecord, validated
from cyclevos.exchange.contents.shapes import Ellipse, Patch, Polygons, Shape, turned_box
from cyclevos.exchange.contents.text_files import read_json_file
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.tools.label_studio_code import Brush
from cyclevos.exchange.track import MaskTrack
from cyclevos.naming import frame_name, is_picture_file
from cyclevos.words import counted

OBJECT = re.compile(r"object ([0-9]{1,3})")
"""What we write into a region's notes, so that the object is known in every picture."""

_REMEDY = "Export JSON or JSON-MIN from Label Studio."
_PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")  # what Label Studio puts before the names of uploaded files
_Percent = Annotated[float, Field(ge=-1000, le=1000)]


class _Notes(JsonRecord):
    text: tuple[str, ...] | str = ()


class _Value(JsonRecord):
    """What a region covers; lengths are percents of the picture's width or height."""

    rle: list[Annotated[int, Field(ge=0, le=255)]] | None = None
    points: list[tuple[_Percent, _Percent]] | None = None
    imageDataURL: str | None = None  # noqa: N815 - the file's own names
    x: _Percent | None = None
    y: _Percent | None = None
    width: _Percent | None = None
    height: _Percent | None = None
    radiusX: _Percent | None = None  # noqa: N815
    radiusY: _Percent | None = None  # noqa: N815
    rotation: float = 0.0
    sequence: list[Any] | None = None
    brushlabels: list[str] = Field(default_factory=list)
    polygonlabels: list[str] = Field(default_factory=list)
    rectanglelabels: list[str] = Field(default_factory=list)
    ellipselabels: list[str] = Field(default_factory=list)
    bitmasklabels: list[str] = Field(default_factory=list)
    labels: list[str] = Field(default_factory=list)

    @property
    def label(self) -> str | None:
        """The first label; None without one."""
        kinds = (self.brushlabels, self.polygonlabels, self.rectanglelabels, self.ellipselabels, self.bitmasklabels)
        return next((each for kind in (*kinds, self.labels) for each in kind), None)


class _Result(JsonRecord):
    id: str | int | None = None
    type: str = ""
    original_width: int = 0
    original_height: int = 0
    image_rotation: float = 0
    value: _Value = _Value()
    meta: _Notes = _Notes()


class _Annotation(JsonRecord):
    result: list[_Result] = Field(default_factory=list)
    was_cancelled: bool = False
    completed_by: Any = None


class _Task(JsonRecord):
    data: dict[str, Any]
    annotations: list[_Annotation] = Field(default_factory=list)
    predictions: list[_Annotation] = Field(default_factory=list)
    file_upload: str | None = None


class _Tasks(JsonRecord):
    tasks: list[_Task]


def read_label_studio(path: Path, options: ReadOptions) -> MaskTrack:
    """Read what Label Studio exports.

    The first annotation of a task counts that was not cancelled; predictions count if no task has annotations. Regions
    of one label are one object, unless a picture has several.

    Args:
        path: the JSON file.
        options: how to read; its ``overlap`` counts.

    Raises:
        MaskError: the file is broken, holds regions that are no masks, or the objects cannot be told apart.
    """
    content = read_json_file(path, _REMEDY)
    tasks = validated(_Tasks, {"tasks": [_as_task(each) for each in _listed(content)]}, path).tasks
    annotated = any(task.annotations for task in tasks)
    chosen = [_chosen(task.annotations if annotated else task.predictions) for task in tasks]
    frames = []
    for number, (task, annotation) in enumerate(zip(tasks, chosen, strict=True)):
        if annotation is not None:
            frames.append(_frame(task, annotation, f"{path}, task {number + 1}"))
    if not frames:
        raise MaskError(f"{path} holds no annotation.", f"Submit the annotations there first. {_REMEDY}")
    return replace(to_track(_sized(frames, options), path, options), notes=tuple(_notes(tasks, annotated, path)))


def _listed(content: Any) -> Sequence[Any]:
    return content if isinstance(content, list) else [content]


def _as_task(content: Any) -> Any:
    """Return a task of JSON-MIN, or an annotation that Label Studio stored by itself, as one of JSON."""
    if not isinstance(content, Mapping) or "data" in content:
        return content
    if "result" in content and isinstance(content.get("task"), Mapping):
        return {**content["task"], "annotations": [content]}
    flat = {key: value for key, value in content.items() if not isinstance(value, list)}
    regions = [each for value in content.values() if isinstance(value, list) for each in value]
    results = [{**each, "value": each} for each in regions if isinstance(each, Mapping) and "original_width" in each]
    return {"data": flat, "annotations": [{"result": results, "completed_by": content.get("annotator")}]}


def _chosen(annotations: Sequence[_Annotation]) -> _Annotation | None:
    return next((each for each in annotations if not each.was_cancelled), None)


def _notes(tasks: Sequence[_Task], annotated: bool, path: Path) -> Iterator[str]:
    if not annotated:
        yield f"{path} holds no annotations, so its predictions are used."
    several = [task for task in tasks if sum(not each.was_cancelled for each in task.annotations) > 1]
    if several:
        first = [_chosen(task.annotations) for task in several]
        people = Counter(str(_person(each)) for each in first if each is not None)
        yield (
            f"{path}: {counted(len(several), 'picture')} with several annotations; the first of each is used, by "
            f"{', '.join(people)}."
        )


def _person(annotation: _Annotation) -> Any:
    who = annotation.completed_by
    return who.get("email") or who.get("id") if isinstance(who, Mapping) else f"annotator {who}"


def _frame(task: _Task, annotation: _Annotation, where: str) -> AnnotatedFrame:
    labels = {each.id: each.value.label for each in annotation.result if each.id is not None and each.value.label}
    drawn = {each.id for each in annotation.result if each.id is not None and each.type != "labels"}
    regions, size = [], (0, 0)
    for number, each in enumerate(annotation.result, start=1):
        shape = _shape(each, f"{where}, region {number}")
        if shape is not None and (each.type != "labels" or each.id not in drawn):  # else it repeats another one's shape
            size = (each.original_height, each.original_width)
            label = each.value.label or (labels.get(each.id) if each.id is not None else None)
            regions.append(Region(shape, label, _object(each.meta)))
    return AnnotatedFrame(_picture_name(task), size, regions)


def _object(notes: _Notes) -> int | None:
    for text in [notes.text] if isinstance(notes.text, str) else notes.text:
        match = OBJECT.fullmatch(text)
        if match is not None:
            return int(match[1])
    return None


def _sized(frames: Sequence[AnnotatedFrame], options: ReadOptions) -> list[AnnotatedFrame]:
    """Give pictures without any region, whose size the file does not give, that of the others."""
    size = next((frame.size for frame in frames if frame.regions), options.size or (1, 1))
    return [frame if frame.regions else replace(frame, size=size) for frame in frames]


def _picture_name(task: _Task) -> str:
    """Return the frame's name in the address of a task's picture, without what an upload put before it."""
    places = [value for value in task.data.values() if isinstance(value, str)]
    place = task.data.get("image")
    if not isinstance(place, str):
        place = next((each for each in places if is_picture_file(Path(_file_name(each)))), places[0] if places else "")
    name = _file_name(place)
    uploaded = "/upload/" in place or name == task.file_upload
    return frame_name(_PREFIX.sub("", name, count=1) if uploaded else name)


def _file_name(place: str) -> str:
    """Return the file name in an address or path, that of a local file after ``?d=``."""
    try:
        address = urlsplit(place)
    except ValueError:
        return place
    within = parse_qs(address.query).get("d")
    if within:
        path = within[0]
    elif address.scheme or place.startswith("/data/"):  # an address, in which special characters are coded
        path = unquote(address.path)
    else:
        path = place
    return re.split(r"[\\/]", path)[-1]


def _shape(result: _Result, where: str) -> Shape | None:
    """Return what a region covers; None for choices, key points and the like, which cover nothing."""
    value, height, width = result.value, result.original_height, result.original_width
    if value.sequence is not None or result.type.startswith("video"):
        raise MaskError(
            f"{where}: boxes of a video (VideoRectangle), which have no outlines.",
            "Annotate pictures of the video with brushes or polygons there.",
        )
    covers = (value.rle, value.imageDataURL, value.points, value.radiusX, value.height)
    if all(each is None for each in covers):
        return None
    if result.image_rotation % 360:
        raise MaskError(
            f"{where}: the picture was turned by {result.image_rotation:g} degrees there.", "Turn it back in the tool."
        )
    if value.rle is not None:
        return Brush((height, width), value.rle)
    if value.imageDataURL is not None:
        picture = value.imageDataURL.partition(",")[2]
        return Patch(0, 0, lambda: embedded_mask(picture, where))
    if value.points is not None:
        return Polygons([[v for x, y in value.points for v in (x * width / 100, y * height / 100)]])
    return _geometric(value, width / 100, height / 100, where)


def _geometric(value: _Value, right: float, down: float, where: str) -> Shape:
    """Return an ellipse, turned around its centre, or a box, turned around its first corner.

    Args:
        value: lengths in percent.
        right: pixels of one percent of the width.
        down: pixels of one percent of the height.
        where: for the error.
    """
    if value.x is None or value.y is None:
        raise MaskError(f"{where}: a shape without a place (x and y).", _REMEDY)
    x, y = value.x * right, value.y * down
    if value.radiusX is not None and value.radiusY is not None:
        return Ellipse(x, y, value.radiusX * right, value.radiusY * down, value.rotation)
    if value.width is None or value.height is None:
        raise MaskError(f"{where}: a box without its width and height.", _REMEDY)
    half_width, half_height = value.width * right / 2, value.height * down / 2
    cosine, sine = math.cos(math.radians(value.rotation)), math.sin(math.radians(value.rotation))
    centre = (x + half_width * cosine - half_height * sine, y + half_width * sine + half_height * cosine)
    return turned_box(*centre, 2 * half_width, 2 * half_height, value.rotation)
