"""The index of a video, made in one pass and kept in the project: times, thumbnails, places, unreadable frames."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from cyclevos.app.projects.durable_files import write_durably
from cyclevos.media.sources import FrameSource, SeekTable
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.jpeg import jpeg_bytes

INDEX = "video.json"
"""Name of the file in a project's folder."""
_FOLDER = "thumbnails"
_THUMBNAIL_HEIGHT = 64
_MOST_THUMBNAILS = 240


class VideoIndex(NamedTuple):
    """Times and thumbnails of a video's frames.

    Attributes:
        times: seconds of every frame from the first, by the video's timestamps, or by its frame rate without them.
        thumbnails: JPEGs by frame index, evenly spaced.
        seek: where the frames of a video file lie; None where any frame is found without.
        content: of the source that was indexed.
        bad: why frames cannot be read, by index.
        cut_short: how the video breaks off, in words; None if it does not.
        is_current: it needs not be made again: it belongs to the video that is there now.
    """

    times: list[float]
    thumbnails: dict[int, bytes]
    seek: SeekTable | None = None
    content: str = ""
    bad: Mapping[int, str] = MappingProxyType({})
    cut_short: str | None = None
    is_current: bool = True


def index_video(source: FrameSource, progress: Callable[[int], None], stop: threading.Event) -> VideoIndex | None:
    """Read a video once and index it.

    Args:
        source: the video.
        progress: called with the number of frames read.
        stop: set to cancel.

    Returns:
        The index; None if cancelled.

    Raises:
        VideoError: a frame cannot be decoded, and the source does not pass over it.
    """
    times: dict[int, float | None] = {}
    thumbnails: dict[int, bytes] = {}
    every = 1
    for frame in source:
        if stop.is_set():
            return None
        times[frame.index] = frame.time
        if frame.index % every == 0:
            thumbnails[frame.index] = _thumbnail(frame.image)
        if len(thumbnails) > _MOST_THUMBNAILS:
            every *= 2
            thumbnails = {index: data for index, data in thumbnails.items() if index % every == 0}
        if frame.index % 8 == 0:
            progress(frame.index + 1)
    bad = dict(source.bad or {})
    count = max((*times, *bad), default=-1) + 1
    empty = [index for index in range(0, count, every) if index in bad or index not in thumbnails]
    thumbnails |= {index: _no_thumbnail(source.size) for index in empty}
    seconds = _from_first([times.get(index, source.time_of(index)) for index in range(count)], source.frame_rate)
    return VideoIndex(seconds, thumbnails, source.seek_table, source.content, bad, source.cut_short)


def _from_first(times: list[float | None], rate: Fraction | None) -> list[float]:
    """Return seconds from the first frame on; one without a time follows the one before at the frame rate."""
    step = 1 / float(rate or 24)
    found: list[float] = []
    for time in times:
        found.append(time if time is not None else found[-1] + step if found else 0.0)
    return [round(time - found[0], 4) for time in found]


def write_index(folder: Path, index: VideoIndex) -> None:
    """Write the index into a project's folder.

    Raises:
        OutputError: the file cannot be written.
    """
    for number, data in index.thumbnails.items():
        write_durably(folder / _FOLDER / f"{number}.jpg", data, flush=False)
    record: dict[str, Any] = {"times": index.times, "thumbnails": sorted(index.thumbnails), "content": index.content}
    if index.bad or index.cut_short:
        record |= {"bad": index.bad, "cut_short": index.cut_short}
    if index.seek is not None:
        record["seek"] = index.seek._asdict()
    write_durably(folder / INDEX, json.dumps(record).encode())


def known_index(folder: Path, source: FrameSource, frames: int | None) -> VideoIndex | None:
    """Return the index in a project's folder, and let the video use what it says of its content.

    Args:
        folder: of the project.
        source: its video.
        frames: number of frames that the project has.

    Returns:
        None if the index is missing, incomplete or of another number of frames; it has to be made again too where it
        is not current.
    """
    found = _read_index(folder)
    if found is None or len(found.times) != frames:
        return None
    if found.content == source.content:
        if found.seek is not None:
            source.use_seek_table(found.seek)
        if source.bad is not None:
            source.bad.update(found.bad)
        source.cut_short = found.cut_short
        return found._replace(is_current=source.frame_names is not None or found.seek is not None)
    was_whole = not found.bad and not source.bad
    return found._replace(is_current=source.frame_names is not None and was_whole)


def unreadable_in(folder: Path) -> set[int]:
    """Return the frames that cannot be read, by the index in a project's folder alone."""
    try:
        data = (folder / INDEX).read_bytes()
        return {int(index) for index in json.loads(data)["bad"]} if b'"bad"' in data else set()
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def _read_index(folder: Path) -> VideoIndex | None:
    try:
        stored = json.loads((folder / INDEX).read_bytes())
        times = [float(value) for value in stored["times"]]
        thumbnails = {int(i): (folder / _FOLDER / f"{int(i)}.jpg").read_bytes() for i in stored["thumbnails"]}
        bad = {int(i): str(why) for i, why in stored.get("bad", {}).items()}
        content, cut_short = str(stored["content"]), stored.get("cut_short")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    cut_short = None if cut_short is None else str(cut_short)
    return VideoIndex(times, thumbnails, _seek(stored.get("seek"), len(times)), content, bad, cut_short)


def _seek(stored: Any, frames: int) -> SeekTable | None:
    """Read where the frames lie; None where it is missing or cannot be right."""
    try:
        table = SeekTable([int(stamp) for stamp in stored["stamps"]], [int(index) for index in stored["keyframes"]])
    except (ValueError, KeyError, TypeError):
        return None
    ascending = all(a < b for each in table for a, b in pairwise(each))
    fits = len(table.stamps) == frames and all(0 <= index < frames for index in table.keyframes)
    return table if ascending and fits else None


def _thumbnail(image: UInt8Array) -> bytes:
    """Return a small JPEG of an image (H,W,3)."""
    height, width = image.shape[:2]
    step = max(1, height // (2 * _THUMBNAIL_HEIGHT))
    small = Image.fromarray(image[::step, ::step].copy())
    wide = max(1, min(4 * _THUMBNAIL_HEIGHT, round(width * _THUMBNAIL_HEIGHT / height)))
    return jpeg_bytes(small.resize((wide, _THUMBNAIL_HEIGHT), Image.Resampling.BILINEAR), 70)


def _no_thumbnail(size: tuple[int, int]) -> bytes:
    """Return what stands for a frame that cannot be read."""
    height, width = size
    return _thumbnail(np.full((_THUMBNAIL_HEIGHT, max(1, width * _THUMBNAIL_HEIGHT // height), 3), 128, np.uint8))
