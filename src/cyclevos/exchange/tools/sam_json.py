"""JSON of the Segment Anything models: a picture's masks (SAM, SA-1B), and the masklets of a video (SA-V)."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import run_length
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, to_track
from cyclevos.exchange.contents.json_models import CodeRecord, JsonRecord, validated
from cyclevos.exchange.contents.text_files import read_json_file
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.track import MaskTrack, size_of_all
from cyclevos.files.atomic import replacing
from cyclevos.naming import list_files
from cyclevos.words import counted

_EVERY = 4
"""SA-V annotates every fourth frame: videos of 24 frames per second at 6."""
_PICTURE = "Give the JSON of one picture of SA-1B, or a list of records with run-length codes."
_VIDEO = "Give a file of SA-V that ends in _manual.json or _auto.json."


class _Annotation(JsonRecord):
    segmentation: CodeRecord


class _Picture(JsonRecord):
    file_name: str = ""


class _File(JsonRecord):
    image: _Picture = _Picture()
    annotations: list[_Annotation]


class _Video(JsonRecord):
    video_id: str = ""
    video_frame_count: float
    video_height: float
    video_width: float
    masklet: list[list[CodeRecord]]
    masklet_id: list[int]


def read_sam(path: Path, options: ReadOptions) -> MaskTrack:
    """Read the masks of one picture: SA-1B's file, or a list of codes or of records with a code under "segmentation".

    The objects are numbered in the file's order.

    Args:
        path: the file, or a folder of them.
        options: how to read; its ``overlap`` counts.

    Raises:
        MaskError: a file is broken, or several of them show objects, and nothing distinguishes them.
    """
    files = list_files(path, ".json")
    if not files:
        raise MaskError(f"{path} holds no JSON file.", _PICTURE)
    return to_track([_picture(file) for file in files], path, options)


def _picture(file: Path) -> AnnotatedFrame:
    content = read_json_file(file, _PICTURE)
    if isinstance(content, list):
        if any(isinstance(each, dict) and "image_id" in each for each in content):
            raise MaskError(
                f"{file} is a list of detections as COCO's evaluation takes them, without names of pictures.",
                "Give a COCO file that lists its images too.",
            )
        codes = [{"segmentation": each} if isinstance(each, dict) and "counts" in each else each for each in content]
        content = {"annotations": codes}
    read = validated(_File, content, file)
    if not read.annotations:
        raise MaskError(f"{file} holds no mask.", _PICTURE)
    regions = [Region(each.segmentation.shape()) for each in read.annotations]
    return AnnotatedFrame(read.image.file_name or file.stem, read.annotations[0].segmentation.size, regions)


def read_sa_v(path: Path, options: ReadOptions) -> MaskTrack:
    """Read the masklets of a video.

    SA-V annotates every fourth frame of a video. Files with as many masks as the video has frames are taken frame by
    frame.

    Args:
        path: the file.
        options: how to read; its ``length`` and ``overlap`` count.

    Raises:
        MaskError: the file is broken, or has more masks than frames.
    """
    video = validated(_Video, read_json_file(path, _VIDEO), path)
    for number, codes in enumerate(video.masklet):
        if len(codes) != len(video.masklet_id):
            raise MaskError(
                f"{path}: annotated frame {number} has {counted(len(codes), 'mask')} of "
                f"{counted(len(video.masklet_id), 'masklet')}; expected one of each.",
                _VIDEO,
            )
    step, notes = _step(video, path, options.length)
    size = (int(video.video_height), int(video.video_width))
    frames = []
    for number, codes in enumerate(video.masklet):
        regions = [Region(code.shape(), track=key) for code, key in zip(codes, video.masklet_id, strict=True)]
        frames.append(AnnotatedFrame("", size, regions, step * number))
    return replace(to_track(frames, path, options, video=video.video_id), notes=notes)


def _step(video: _Video, path: Path, length: int | None) -> tuple[int, tuple[str, ...]]:
    """Return how many frames lie between annotated ones, and what a user should know about it."""
    annotated, count = len(video.masklet), int(video.video_frame_count)
    if annotated in (count, length) or annotated <= 1:
        return 1, ()
    if annotated > math.ceil(count / _EVERY):
        raise MaskError(
            f"{path} has masks of {counted(annotated, 'frame')} of a video of {counted(count, 'frame')}; expected one "
            f"of every frame or of every fourth, as in SA-V.",
            _VIDEO,
        )
    return _EVERY, (
        f"{path} has masks of {counted(annotated, 'frame')} of a video of {counted(count, 'frame')}, which are taken "
        f"for those of every fourth frame, as in SA-V: 0, {_EVERY}, {2 * _EVERY}.",
    )


def write_sa_v(track: MaskTrack, path: Path) -> None:
    """Write masks as SA-V's JSON, one mask of every object and frame; SA-V itself has every fourth frame.

    Args:
        track: the masks; they are read twice.
        path: the JSON file.

    Raises:
        MaskError: frames differ in size, or a mask cannot be read.
        OutputError: the system refuses to write.
    """
    video = _survey(track)
    (height, width), ids = video.size, sorted(video.first)
    head = {
        "video_id": track.name,
        "video_frame_count": video.length,
        "video_height": height,
        "video_width": width,
        "video_resolution": height * width,
        "masklet_num": len(ids),
        "masklet_id": ids,
        "masklet_first_appeared_frame": [video.first[object_id] for object_id in ids],
        "masklet_frame_count": [video.shown[object_id] for object_id in ids],
    }
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(json.dumps(head)[:-1] + ',"masklet":[')
        for number, frame in enumerate(track.frames()):
            codes = [
                {"size": [height, width], "counts": run_length.encode(frame.ids == object_id)} for object_id in ids
            ]
            file.write((",\n" if number else "\n") + json.dumps(codes))
        file.write("]}\n")


class _Survey(NamedTuple):
    """What a video shows.

    Attributes:
        size: (H, W) of every frame.
        length: number of frames.
        first: first frame of each object, by id.
        shown: number of frames that show it, by id.
    """

    size: tuple[int, int]
    length: int
    first: dict[int, int]
    shown: dict[int, int]


def _survey(track: MaskTrack) -> _Survey:
    first: dict[int, int] = {}
    shown: dict[int, int] = {}
    size: tuple[int, int] | None = None
    length = 0
    for length, frame in enumerate(track.frames(), start=1):
        size = size_of_all(frame, size, "a video of SA-V")
        for object_id in frame.object_ids:
            first.setdefault(object_id, length - 1)
            shown[object_id] = shown.get(object_id, 0) + 1
    return _Survey(size or (0, 0), length, first, shown)
