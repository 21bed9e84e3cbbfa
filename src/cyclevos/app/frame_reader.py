"""Any frame of a video as JPEG, fast in both directions: a decoder that stays where it is, and a bounded cache."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import NamedTuple

from PIL import Image

from cyclevos.app.errors import NotFoundError
from cyclevos.video import Frame, FrameSource
from cyclevos.video.frames import UInt8Array

_CACHE_BYTES = 192 * 2**20
_AHEAD = 24  # frames that decoding on costs less than searching anew
_BEHIND = 12  # frames before the wanted one that are decoded with it, for those who go backward
_THUMBNAIL_HEIGHT = 64
_MOST_THUMBNAILS = 240


class VideoIndex(NamedTuple):
    """What one pass over a video tells.

    Attributes:
        times: seconds of every frame on the video's own clock, from 0; by the frame rate where there is none.
        thumbnails: JPEGs by frame index, evenly spaced.
    """

    times: list[float]
    thumbnails: dict[int, bytes]


def index_video(source: FrameSource, progress: Callable[[int], None], stop: threading.Event) -> VideoIndex | None:
    """Stream a video once.

    Args:
        source: the video.
        progress: told how many frames are done.
        stop: set to give up.

    Returns:
        What was seen; None where it was given up.

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
            thumbnails[frame.index] = thumbnail(frame.image)
        if len(thumbnails) > _MOST_THUMBNAILS:
            every *= 2
            thumbnails = {index: data for index, data in thumbnails.items() if index % every == 0}
        if frame.index % 8 == 0:
            progress(frame.index + 1)
    return VideoIndex(times, thumbnails)


class FrameReader:
    """Frames of one source by index, encoded as JPEG; threads may share it.

    Args:
        source: the video.
    """

    def __init__(self, source: FrameSource) -> None:
        self.source = source
        self._lock = threading.Lock()
        self._cache: OrderedDict[int, bytes] = OrderedDict()
        self._held = 0
        self._stream: Iterator[Frame] = iter(())
        self._next = -1

    def jpeg(self, index: int) -> bytes:
        """Return a frame as JPEG at the video's own size.

        Raises:
            NotFoundError: the video ends before it.
            VideoError: it cannot be decoded.
        """
        with self._lock:
            if index in self._cache:
                self._cache.move_to_end(index)
                return self._cache[index]
            for frame in self._from(index):
                data = _jpeg(frame.image, 90)
                self._keep(frame.index, data)
                if frame.index == index:
                    return data
        raise NotFoundError(f"There is no frame {index}.", "Frames are counted from 0 to the video's last.")

    def image(self, index: int) -> UInt8Array:
        """Return a frame as RGB uint8 (H,W,3), exact.

        Raises:
            NotFoundError: the video ends before it.
            VideoError: it cannot be decoded.
        """
        found = next(self.source.iterate(start=index), None)
        if found is None:
            raise NotFoundError(f"There is no frame {index}.", "Frames are counted from 0 to the video's last.")
        return found.image

    def offer(self, frame: Frame) -> None:
        """Take a frame that somebody decoded anyway, as it will be asked for next."""
        data = _jpeg(frame.image, 90)
        with self._lock:
            self._keep(frame.index, data)

    def _from(self, index: int) -> Iterator[Frame]:
        """Yield frames that end with the wanted one, from where decoding is or from a little before it."""
        if not self._next <= index <= self._next + _AHEAD or self._next < 0:
            self._next = max(0, index - _BEHIND) if index - 1 not in self._cache else index
            self._stream = self.source.iterate(start=self._next)
        for frame in self._stream:
            self._next = frame.index + 1
            yield frame
            if frame.index == index:
                return
        self._next = -1

    def _keep(self, index: int, data: bytes) -> None:
        self._held += len(data) - len(self._cache.pop(index, b""))
        self._cache[index] = data
        while self._held > _CACHE_BYTES and len(self._cache) > 1:
            self._held -= len(self._cache.popitem(last=False)[1])


def thumbnail(image: UInt8Array) -> bytes:
    """Return a small JPEG of an image (H,W,3)."""
    height, width = image.shape[:2]
    step = max(1, height // (2 * _THUMBNAIL_HEIGHT))
    small = Image.fromarray(image[::step, ::step].copy())
    wide = max(1, min(4 * _THUMBNAIL_HEIGHT, round(width * _THUMBNAIL_HEIGHT / height)))
    data = io.BytesIO()
    small.resize((wide, _THUMBNAIL_HEIGHT), Image.Resampling.BILINEAR).save(data, format="JPEG", quality=70)
    return data.getvalue()


def _jpeg(image: UInt8Array, quality: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(image).save(data, format="JPEG", quality=quality, subsampling=0)
    return data.getvalue()
