"""VGG Image Annotator: JSON of version 2, as a project or as annotations alone, and projects of version 3."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, known_size, to_track
from cyclevos.exchange.contents.shapes import Ellipse, Polygons, Shape, box
from cyclevos.exchange.contents.text_files import read_json_file
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.track import MaskTrack

_REMEDY = "Export it from VIA again: Annotation, Export as JSON, or Project, Save."
_PROJECT = "_via_img_metadata"
# Names of attributes that say what a region is, and those that say which one; the first of them that a file has counts.
_LABELS = ("label", "name", "class", "category", "type", "object")
_TRACKS = ("track_id", "track", "object_id", "instance_id", "id")
_RECTANGLE, _CIRCLE, _ELLIPSE, _POLYGON = 2, 3, 4, 7  # shapes of version 3; 1 is a point, 5 and 6 are lines


def is_via(content: Mapping[str, Any]) -> bool:
    """Return whether a JSON object is one of VIA's."""
    if _PROJECT in content or {"project", "config", "view", "file", "metadata"} <= set(content):
        return True
    pictures = list(content.values())
    return bool(pictures) and all(isinstance(p, dict) and {"filename", "regions"} <= set(p) for p in pictures)


def read_via(path: Path, options: ReadOptions) -> MaskTrack:
    """Read a file of VIA's.

    A region's label is its attribute `label`, `name`, `class`, `category`, `type` or `object`, or its only one; an
    attribute such as `track_id` tells objects apart in every picture. Points and lines are left out. VIA does not
    record the size of the pictures.

    Args:
        path: the file.
        options: how to read; its ``size`` is that of the pictures.

    Raises:
        MaskError: the file is broken or marks times in a video, the size is not known, or objects cannot be told apart.
    """
    content = read_json_file(path, _REMEDY)
    if not isinstance(content, dict) or not is_via(content):
        raise MaskError(f"{path} is not a file of VIA's.", _REMEDY)
    size = known_size(None, options, path)
    pictures = _version_3 if "view" in content and _PROJECT not in content else _version_2
    try:
        found = [(name, list(regions)) for name, regions in pictures(content, path)]
    except MaskError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise MaskError(
            f"{path} is broken: {type(error).__name__}: {error}. Expected what VIA writes.", _REMEDY
        ) from error
    attributes = [each for _, regions in found for each, _ in regions]
    label, track = _labelling(attributes), _first_of(_TRACKS, attributes)
    frames = []
    for name, regions in found:
        marked = [
            Region(shape, *_identity(attribute, label, track)) for attribute, shape in regions if shape is not None
        ]
        frames.append(AnnotatedFrame(name, size, marked))
    return to_track(frames, path, options)


_Pictures = Iterator[tuple[str, Iterator[tuple[Mapping[str, str], Shape | None]]]]


def _version_2(content: Mapping[str, Any], path: Path) -> _Pictures:
    for picture in content.get(_PROJECT, content).values():
        regions = picture["regions"]  # a list; in version 1 an object
        yield (
            str(picture["filename"]),
            (
                (_texts(each.get("region_attributes", {})), _shape_2(each["shape_attributes"]))
                for each in (regions.values() if isinstance(regions, dict) else regions)
            ),
        )


def _version_3(content: Mapping[str, Any], path: Path) -> _Pictures:
    names = {str(key): str(each["aname"]) for key, each in content.get("attribute", {}).items()}
    chosen = {
        str(key): {str(k): str(v) for k, v in (each.get("options") or {}).items()}
        for key, each in content.get("attribute", {}).items()
    }
    for view, files in content["view"].items():
        marks = [each for each in content["metadata"].values() if str(each["vid"]) == str(view)]
        if any(each["z"] for each in marks):
            raise MaskError(
                f"{path} marks times in a video, in seconds, from which the frames are not known.",
                "Annotate pictures of the frames in VIA.",
            )
        yield (
            str(content["file"][str(files["fid_list"][0])]["fname"]),
            (
                (
                    {names.get(k, k): chosen.get(k, {}).get(str(v), str(v)) for k, v in each.get("av", {}).items()},
                    _shape_3(each["xy"]),
                )
                for each in marks
                if each["xy"]
            ),
        )


def _shape_2(given: Mapping[str, Any]) -> Shape | None:
    """Return what a shape of version 2 covers; None for points and lines."""
    kind = given["name"]
    if kind == "polygon":
        pairs = zip(given["all_points_x"], given["all_points_y"], strict=True)
        return Polygons([[float(value) for pair in pairs for value in pair]])
    if kind == "rect":
        x, y, width, height = (float(given[key]) for key in ("x", "y", "width", "height"))
        return box(x, y, x + width, y + height)
    if kind == "circle":
        return Ellipse(float(given["cx"]), float(given["cy"]), float(given["r"]), float(given["r"]))
    if kind == "ellipse":  # its angle is in radians, clockwise
        x, y, radius_x, radius_y = (float(given[key]) for key in ("cx", "cy", "rx", "ry"))
        return Ellipse(x, y, radius_x, radius_y, math.degrees(float(given.get("theta", 0))))
    if kind in ("point", "polyline"):
        return None
    raise ValueError(f"{kind!r} is no shape of VIA's")


def _shape_3(given: Sequence[Any]) -> Shape | None:
    """Return what a shape of version 3 covers: a list of its kind's number and its coordinates."""
    kind, *numbers = (float(value) for value in given)
    if kind == _POLYGON:
        return Polygons([numbers])
    if kind == _RECTANGLE:
        x, y, width, height = numbers
        return box(x, y, x + width, y + height)
    if kind == _CIRCLE:
        x, y, radius = numbers
        return Ellipse(x, y, radius, radius)
    if kind == _ELLIPSE:
        x, y, radius_x, radius_y = numbers
        return Ellipse(x, y, radius_x, radius_y)
    return None


def _texts(attributes: Any) -> dict[str, str]:
    """Return a region's attributes as text; of a group of check boxes, those that are ticked."""
    return {
        str(key): ", ".join(str(k) for k, ticked in value.items() if ticked) if isinstance(value, dict) else str(value)
        for key, value in attributes.items()
    }


def _first_of(names: Sequence[str], attributes: Sequence[Mapping[str, str]]) -> str | None:
    """Return the first of these attributes, in capitals or not, that every region has."""
    for name in names:
        own = next((key for each in attributes[:1] for key in each if key.lower() == name), None)
        if own is not None and all(each.get(own) for each in attributes):
            return own
    return None


def _labelling(attributes: Sequence[Mapping[str, str]]) -> Callable[[Mapping[str, str]], str | None]:
    """Return what finds a region's label in its attributes."""
    names = dict.fromkeys(key for each in attributes for key in each if key.lower() not in _TRACKS)
    wanted = [key for name in _LABELS for key in names if key.lower() == name] or (
        list(names) if len(names) == 1 else []
    )
    return lambda each: next((each[key] for key in wanted if each.get(key)), None)


def _identity(
    attributes: Mapping[str, str], label: Callable[[Mapping[str, str]], str | None], track: str | None
) -> tuple[Hashable, Hashable]:
    """Return a region's label and what identifies its object in every picture."""
    own = None if track is None else attributes[track]
    is_number = own is not None and own.isascii() and own.isdigit() and len(own) < 10
    return label(attributes), int(own) if own is not None and is_number else own
