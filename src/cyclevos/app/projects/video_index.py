"""The index of a video, made in one pass and kept in the project: frame times, thumbnails, where the frames lie."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from cyclevos.app.projects.durable_files import write_durably
from cyclevos.media.sources import FrameSource, SeekTable
from cyclevos.pictures.arrays import UInt8Array

_FILE = "video.json"
_FOLDER = "thumbnails"
_THUMBNAIL_HEIGHT = 64
_MOST_THUMBNAILS = 240


class VideoIndex(NamedTuple):
    """Times and thumbnails of a video's frames.

    Attributes:
        times: seconds of every frame from the first, by the video's timestamps, or by its frame rate without them.
        thumbnails: JPEGs by frame index, evenly spaced.
        seek: where the frames of a video file lie; None where any frame is found without.
        content: of the source that `seek` belongs to.
    """

    times: list[float]
    thumbnails: dict[int, bytes]
    seek: SeekTable | None = None
    content: str = ""


def index_video(source: FrameSource, progress: Callable[[int], None], stop: threading.Event) -> VideoIndex | None:
    """Read a video once and index it.

    Args:
        source: the video.
        progress: called with the number of frames read.
        stop: set to cancel.

    Returns:
        The index; None if cancelled.

    Raises:
        VideoError: a frame cannot be decoded.
    """
    rate = float(source.frame_rate or 24)
    times: list[float] = []
    thumbnails: dict[int, bytes] = {}
    every, start = 1, 0.0
    for frame in source:
        if stop.is_set():
            return None
        time = frame.index / rate if frame.time is None else frame.time
        start = start if times else time
        times.append(round(time - start, 4))
        if frame.index % every == 0:
            thumbnails[frame.index] = _thumbnail(frame.image)
        if len(thumbnails) > _MOST_THUMBNAILS:
            every *= 2
            thumbnails = {index: data for index, data in thumbnails.items() if index % every == 0}
        if frame.index % 8 == 0:
            progress(frame.index + 1)
    return VideoIndex(times, thumbnails, source.seek_table, source.content)


def write_index(folder: Path, index: VideoIndex) -> None:
    """Write the index into a project's folder.

    Raises:
        OutputError: the file cannot be written.
    """
    for number, data in index.thumbnails.items():
        write_durably(folder / _FOLDER / f"{number}.jpg", data, flush=False)
    record: dict[str, Any] = {"times": index.times, "thumbnails": sorted(index.thumbnails)}
    if index.seek is not None:
        record["seek"] = {**index.seek._asdict(), "content": index.content}
    write_durably(folder / _FILE, json.dumps(record).encode())


def read_index(folder: Path) -> VideoIndex | None:
    """Read the index from a project's folder; None if it is missing or incomplete."""
    try:
        stored = json.loads((folder / _FILE).read_bytes())
        times = [float(value) for value in stored["times"]]
        thumbnails = {int(i): (folder / _FOLDER / f"{int(i)}.jpg").read_bytes() for i in stored["thumbnails"]}
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return VideoIndex(times, thumbnails, *_seek(stored.get("seek"), len(times)))


def _seek(stored: Any, frames: int) -> tuple[SeekTable | None, str]:
    """Read where the frames lie; None where it is missing or cannot be right."""
    try:
        table = SeekTable([int(stamp) for stamp in stored["stamps"]], [int(index) for index in stored["keyframes"]])
        content = str(stored["content"])
    except (ValueError, KeyError, TypeError):
        return None, ""
    ascending = all(a < b for each in table for a, b in pairwise(each))
    fits = len(table.stamps) == frames and all(0 <= index < frames for index in table.keyframes)
    return (table, content) if ascending and fits else (None, "")


def _thumbnail(image: UInt8Array) -> bytes:
    """Return a small JPEG of an image (H,W,3)."""
    height, width = image.shape[:2]
    step = max(1, height // (2 * _THUMBNAIL_HEIGHT))
    small = Image.fromarray(image[::step, ::step].copy())
    wide = max(1, min(4 * _THUMBNAIL_HEIGHT, round(width * _THUMBNAIL_HEIGHT / height)))
    data = io.BytesIO()
    small.resize((wide, _THUMBNAIL_HEIGHT), Image.Resampling.BILINEAR).save(data, format="JPEG", quality=70)
    return data.getvalue()
