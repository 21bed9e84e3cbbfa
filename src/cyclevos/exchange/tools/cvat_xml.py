"""CVAT's own XML, version 1.1: "CVAT for images" with shapes in pictures, "CVAT for video" with tracks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree.ElementTree import Element

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, known_size, to_track
from cyclevos.exchange.contents.shapes import Shape
from cyclevos.exchange.contents.xml_files import children
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.tools.cvat_shapes import AREAS, WITHOUT_AREA, number, shape, whole
from cyclevos.exchange.track import MaskTrack
from cyclevos.words import counted

_REMEDY = 'Export "CVAT for images 1.1" or "CVAT for video 1.1".'
_MOST_FRAMES = 2**20


@dataclass(frozen=True)
class _Placed:
    """A shape in one frame.

    Attributes:
        shape: its pixels.
        layer: CVAT's z-order; higher lies above.
        interpolated: CVAT computed it from the keyframes around it.
    """

    shape: Shape
    layer: int
    interpolated: bool = False


@dataclass(frozen=True)
class _Track:
    """A track.

    Attributes:
        number: its id in the file.
        label: its class.
        group: its group; 0 = none.
        shapes: what is seen of it, by frame index.
    """

    number: int
    label: str
    group: int
    shapes: Mapping[int, Sequence[_Placed]]

    @property
    def is_shape(self) -> bool:
        """Whether CVAT may have written a single shape as a track of one frame."""
        return len(self.shapes) < 2


@dataclass
class _Content:
    """What a file holds."""

    path: Path
    frames: list[AnnotatedFrame] = field(default_factory=list)
    tracks: list[_Track] = field(default_factory=list)
    video_size: tuple[int, int] | None = None
    length: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    videos: set[str] = field(default_factory=set)

    def notes(self) -> tuple[str, ...]:
        """Return what a user should know about what was not taken as it stands in the file."""
        notes = []
        if self.left_out:
            what = ", ".join(counted(count, WITHOUT_AREA[kind]) for kind, count in sorted(self.left_out.items()))
            notes.append(f"{self.path}: {what} left out, which cover no area.")
        shapes = [each for track in self.tracks for placed in track.shapes.values() for each in placed]
        between = sum(each.interpolated for each in shapes)
        if between:
            notes.append(
                f"{self.path}: {between:,} of {counted(len(shapes), 'shape')} {'lies' if between == 1 else 'lie'} "
                "between keyframes, where CVAT interpolates; they count like those that were drawn."
            )
        gaps = sum(_has_gaps(track) for track in self.tracks)
        if gaps and not self.frames and any(not track.is_shape for track in self.tracks):
            notes.append(
                f"{self.path}: {counted(gaps, 'track')} {'has' if gaps == 1 else 'have'} frames without a shape "
                "between others; nothing is added there."
            )
        return tuple(notes)


def read_cvat(path: Path, options: ReadOptions) -> MaskTrack:
    """Read CVAT's XML.

    Tracks are objects. Single shapes, which "CVAT for video" writes as tracks of one frame, are told apart by groups
    that go through several frames, otherwise as in :func:`cyclevos.exchange.contents.annotations.to_track`. Frames of
    a video are counted as in the whole video, wherever the task begins. Shapes without an area are left out. Where
    shapes overlap, the higher z-order counts.

    Args:
        path: the file.
        options: how to read; its ``overlap`` and ``size`` count.

    Raises:
        MaskError: the file is broken, or the objects cannot be told apart.
    """
    content = _Content(path)
    for element in children(path, "annotations", _REMEDY, ("meta", "image", "track")):
        if element.tag == "meta":
            _read_meta(element, content)
        elif element.tag == "image":
            content.frames.append(_image(element, content))
        else:
            content.tracks.append(_track(element, content))
    frames = content.frames or _video_frames(content, options)
    if len(content.videos) > 1:
        raise MaskError(
            f"{path} holds {counted(len(content.videos), 'task')}; expected the annotations of one video.",
            "Export the task by itself, not the project.",
        )
    return replace(to_track(frames, path, options, stacked=True), notes=content.notes())


def _read_meta(meta: Element, content: _Content) -> None:
    where = str(content.path)
    size = next(meta.iter("original_size"), None)
    if size is not None:
        sides = {side.tag: side.text or "" for side in size}
        found = Element("original_size", sides)
        content.video_size = whole(found, "height", where), whole(found, "width", where)
    frames, first = meta.findtext("*/size") or "", meta.findtext("*/start_frame") or "0"
    if frames.isdecimal() and len(frames) < 8 and first.strip() == "0" and not meta.findtext("*/frame_filter"):
        content.length = min(int(frames), _MOST_FRAMES)


def _image(element: Element, content: _Content) -> AnnotatedFrame:
    name = element.get("name", "")
    where = f"{content.path}, image {name}"
    size = whole(element, "height", where), whole(element, "width", where)
    placed = []
    for k, each in enumerate(element, start=1):
        if each.tag in AREAS:
            drawn = shape(each, f"{where}, shape {k}")
            track = next((a.text or "" for a in each.iter("attribute") if a.get("name") == "track_id"), "")
            group = whole(each, "group_id", where, 0)
            region = Region(drawn, each.get("label", ""), int(track) if _is_number(track) else None, group or None)
            placed.append((whole(each, "z_order", where, 0), region))
        content.left_out[str(each.tag)] += each.tag in WITHOUT_AREA
    content.left_out += Counter()  # drops what was counted zero times
    placed.sort(key=lambda pair: pair[0])
    return AnnotatedFrame(name, size, [region for _, region in placed])


def _track(element: Element, content: _Content) -> _Track:
    found = whole(element, "id", str(content.path), 0)
    where = f"{content.path}, track {found}"
    content.videos.add(element.get("task_id", ""))
    group = whole(element, "group_id", where, 0)
    shapes: dict[int, list[_Placed]] = {}
    for each in element:
        if each.tag in AREAS:
            frame = whole(each, "frame", where)
            if frame < 0:
                raise MaskError(f"{where} has a shape in frame {frame}; frames are counted from 0.", _REMEDY)
            group = group or whole(each, "group_id", where, 0)
            if number(each, "outside", where, 0) == 0:
                placed = _Placed(
                    shape(each, f"{where}, frame {frame}"),
                    whole(each, "z_order", where, 0),
                    each.get("keyframe") == "0",
                )
                shapes.setdefault(frame, []).append(placed)
        content.left_out[str(each.tag)] += each.tag in WITHOUT_AREA
    content.left_out += Counter()
    return _Track(found, element.get("label", ""), group, shapes)


def _video_frames(content: _Content, options: ReadOptions) -> list[AnnotatedFrame]:
    """Return the frames of the tracks, and those without a shape where the file gives the number of frames."""
    if not content.tracks and not content.length:
        return []
    size = known_size(content.video_size, options, content.path)
    shown: dict[int, list[tuple[int, Region]]] = {}
    for track, (own, group) in zip(content.tracks, _identities(content.tracks), strict=True):
        for frame, placed in track.shapes.items():
            regions = shown.setdefault(frame, [])
            regions += [(each.layer, Region(each.shape, track.label, own, group)) for each in placed]
    every = range(content.length) if max(shown, default=0) < content.length else sorted(shown)
    return [
        AnnotatedFrame("", size, [region for _, region in sorted(shown.get(k, []), key=lambda pair: pair[0])], k)
        for k in every
    ]


def _identities(tracks: Sequence[_Track]) -> list[tuple[Hashable, Hashable]]:
    """Return what identifies each track in the whole video, and what in its frame alone, as `Region` has them."""
    times = Counter(track.number for track in tracks)
    if all(track.group == track.number for track in tracks):  # as we write them
        return [(track.number, None) for track in tracks]
    real = [not track.is_shape or times[track.number] > 1 for track in tracks]
    if all(real):
        return [(track.number, None) for track in tracks]
    frames_of: dict[int, set[int]] = {}
    for track in tracks:
        frames_of.setdefault(track.group, set()).update(track.shapes)
    alone = Counter(
        (track.label, frame)
        for track, is_real in zip(tracks, real, strict=True)
        for frame in track.shapes
        if not is_real and track.group == 0
    )
    by_label = any(real) and max(alone.values(), default=0) < 2
    return [_identity(each, own, frames_of, by_label) for each, own in zip(tracks, real, strict=True)]


def _identity(
    track: _Track, is_real: bool, frames_of: Mapping[int, set[int]], by_label: bool
) -> tuple[Hashable, Hashable]:
    if is_real:
        return ("track", track.number), None
    if track.group and len(frames_of[track.group]) > 1:
        return ("group", track.group), None
    # Beside tracks, shapes of one label are one object if no frame shows two of them.
    return (("label", track.label) if by_label and not track.group else None), track.group or None


def _has_gaps(track: _Track) -> bool:
    return bool(track.shapes) and max(track.shapes) - min(track.shapes) >= len(track.shapes)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
