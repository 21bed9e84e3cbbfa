"""Annotations as most tools keep them, a list of labelled shapes for each picture, made into the masks of a video."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import run_length
from cyclevos.exchange.contents.shapes import BoolArray, Shape, joined_outlines
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.track import MaskFrame, MaskTrack, check_frame_name, merge_objects
from cyclevos.files.names import encodable
from cyclevos.media.appearance import Appearance
from cyclevos.naming import frame_name, index_name

# Shapes: H height, W width.

_MAX_FRAME = 10**7


@dataclass(frozen=True)
class Region:
    """One shape of one object in one picture.

    Attributes:
        shape: its pixels.
        label: the object's class: a number or a name; None where the file has none.
        track: what all shapes of one object have in common, in every picture; None where the file has no tracks.
        group: what the shapes of one object have in common in this picture alone; None = the shape is an object of its
            own, unless its track says otherwise.
    """

    shape: Shape
    label: Hashable = None
    track: Hashable = None
    group: Hashable = None


@dataclass(frozen=True)
class AnnotatedFrame:
    """The shapes of one picture.

    Attributes:
        name: its file name or frame name, with folders or without; empty = the file gives indices only.
        size: (H, W) in pixels.
        regions: the shapes, from the lowest to the topmost.
        index: its frame index in the video; None where the file does not give it.
    """

    name: str
    size: tuple[int, int]
    regions: Sequence[Region] = field(default_factory=tuple)
    index: int | None = None


def to_track(
    frames: Sequence[AnnotatedFrame],
    path: Path,
    options: ReadOptions,
    *,
    video: str = "",
    labels: Mapping[Any, str] | None = None,
    palette: bytes | None = None,
    stacked: bool = False,
) -> MaskTrack:
    """Make masks of annotated pictures: tell the objects apart, number and name them, and draw their shapes.

    Objects are told apart by their tracks; otherwise by their labels, if no picture has two objects of one label;
    otherwise, if only one picture has any, by their order. Numbers from 1 to 255 are kept as ids. All others are
    numbered from 1: numbers in ascending order, names in the order in which they appear.

    Args:
        frames: the pictures, in time order; those with an ``index`` are sorted by it if all have one.
        path: the file or folder, for errors.
        options: how to read; its ``overlap`` counts.
        video: name of the video.
        labels: names by label; None = the labels are names.
        palette: colours of the ids, 768 bytes.
        stacked: the file defines which shape lies above another, so that overlaps are no error unless ``options`` says
            how they are resolved.

    Returns:
        The masks; each is drawn and checked when its frame's turn comes.

    Raises:
        MaskError: there is no picture, the objects cannot be told apart, there are too many, or two pictures have the
            same index.
    """
    if not frames:
        raise MaskError(f"{path} holds no picture; expected at least one.", "Export it again.")
    if all(frame.index is not None for frame in frames):
        frames = sorted(frames, key=lambda frame: frame.index or 0)
    numbers = [k if frame.index is None else frame.index for k, frame in enumerate(frames)]
    if len(set(numbers)) < len(numbers):
        raise MaskError(f"{path}: two pictures have the same frame index.", "Give each one its own index.")
    if not all(0 <= number <= _MAX_FRAME for number in numbers):
        raise MaskError(f"{path}: a frame is not numbered from 0 to {_MAX_FRAME:,}.", "Export it again.")
    called = [check_frame_name(frame_name(each.name), path) if each.name else "" for each in frames]
    keys = _object_keys(frames, path)
    ids = object_ids(dict.fromkeys(key for each in keys for key in each), path)
    overlap = "last" if stacked and options.overlap == "error" else options.overlap

    def masks() -> Iterator[MaskFrame]:
        for number, name, frame, owners in zip(numbers, called, frames, keys, strict=True):
            where = f"{path}, frame {frame.name or number}"
            run_length.check_size(frame.size, where)
            drawn = _drawn(frame, [ids[key] for key in owners], where)
            yield MaskFrame(number, name or index_name(number), merge_objects(drawn, frame.size, where, overlap))

    owners = {
        ids[key]: region.label
        for frame, each in zip(frames, keys, strict=True)
        for region, key in zip(frame.regions, each, strict=True)
    }
    return MaskTrack(
        encodable(video), masks, Appearance(palette, _names(owners, labels)), not any(f.name for f in frames)
    )


def object_ids(keys: Mapping[Hashable, Any], path: Path) -> dict[Hashable, int]:
    """Return an id for each object: its number if all can be ids of a mask, otherwise one counted from 1.

    Args:
        keys: what distinguishes the objects, in the order in which they appear.
        path: the file, for the error.

    Raises:
        MaskError: there are more than 255.

    >>> object_ids({7: None, 3: None}, Path("a.json")), object_ids({9: None, 0: None}, Path("a.json"))
    ({7: 7, 3: 3}, {0: 1, 9: 2})
    """
    if len(keys) > 255:
        raise MaskError(
            f"{path} holds {len(keys)} objects, but a mask can hold 255.", "Split the objects into several files."
        )
    whole = [key for key in keys if isinstance(key, int) and not isinstance(key, bool)]
    if len(whole) < len(keys):
        return {key: k for k, key in enumerate(keys, start=1)}
    if all(1 <= key <= 255 for key in whole):
        return {key: key for key in whole}
    return {key: k for k, key in enumerate(sorted(whole), start=1)}


def known_size(size: tuple[int, int] | None, options: ReadOptions, path: Path) -> tuple[int, int]:
    """Return the (H, W) that a file gives, or else that of the video.

    Raises:
        MaskError: neither is known.
    """
    found = size or options.size
    if found is None:
        raise MaskError(
            f"{path} does not give the size of its pictures, which its outlines need.",
            "Name the video or the folder of frames with --frames.",
        )
    return run_length.check_size(found, str(path))


def _drawn(frame: AnnotatedFrame, ids: Sequence[int], where: str) -> Iterator[tuple[int, BoolArray]]:
    """Draw the shapes of a picture, one object after the other, in the order of their first shapes."""
    shapes: dict[int, list[Shape]] = {}
    for region, object_id in zip(frame.regions, ids, strict=True):
        shapes.setdefault(object_id, []).append(region.shape)
    for object_id, each in shapes.items():
        first, *others = joined_outlines(each)
        mask = first.draw(frame.size, f"{where}, object {object_id}")
        for other in others:
            mask |= other.draw(frame.size, f"{where}, object {object_id}")
        yield object_id, mask


def _object_keys(frames: Sequence[AnnotatedFrame], path: Path) -> list[list[Hashable]]:
    """Return what tells the object of every region apart from the others; see :func:`to_track`."""
    marked = [frame for frame in frames if frame.regions]
    if all(region.track is not None for frame in marked for region in frame.regions):
        return [[region.track for region in frame.regions] for frame in frames]
    if not any(_repeats_label(frame) for frame in marked):
        return [[region.label for region in frame.regions] for frame in frames]
    if len(marked) > 1:
        raise MaskError(
            f"{path}: a picture shows several objects of one label, and nothing says which of them is which in the "
            "other pictures.",
            "Give every object a track or group number in the tool (track_id in COCO), or a label of its own.",
        )
    return [_in_order(frame) for frame in frames]


def _repeats_label(frame: AnnotatedFrame) -> bool:
    """Return whether two objects of a picture share a label, shapes of one group being one object."""
    objects = dict.fromkeys(
        (region.label, region.group if region.group is not None else ("alone", k))
        for k, region in enumerate(frame.regions)
    )
    labels = [label for label, _ in objects]
    return len(set(labels)) < len(labels)


def _in_order(frame: AnnotatedFrame) -> list[Hashable]:
    """Number the objects of a picture in order of appearance, shapes of one group and label being one object."""
    numbers: dict[Hashable, int] = {}
    return [
        numbers.setdefault(("alone", k) if region.group is None else (region.label, region.group), len(numbers) + 1)
        for k, region in enumerate(frame.regions)
    ]


def _names(owners: Mapping[int, Hashable], labels: Mapping[Any, str] | None) -> dict[int, str]:
    """Name each object after its label, with the object's id where several objects share the label."""
    called = {
        object_id: (str(label) if labels is None else labels.get(label, "")).strip()
        for object_id, label in sorted(owners.items())
        if label is not None
    }
    shared = list(called.values())
    return {
        object_id: name if shared.count(name) == 1 else f"{name} {object_id}"
        for object_id, name in called.items()
        if name and name not in ("object", f"object {object_id}")
    }
