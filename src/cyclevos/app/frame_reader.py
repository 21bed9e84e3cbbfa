"""Any frame of a video as JPEG, fast in both directions: a decoder that stays where it is, and a bounded cache."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Iterator

from PIL import Image

from cyclevos.app.errors import NotFoundError
from cyclevos.media.frames import Frame
from cyclevos.media.sources import FrameSource
from cyclevos.pictures.arrays import UInt8Array

_CACHE_BYTES = 192 * 2**20
_AHEAD = 24  # frames that decoding on costs less than searching anew
_BEHIND = 12  # frames before the wanted one that are decoded with it, for those who go backward


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
                if frame.index not in self._cache:
                    self._keep(frame.index, _jpeg(frame.image, 90))
                if frame.index == index:
                    return self._cache[index]
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
        """Yield frames that end with the wanted one, from where decoding is, or going backward from before it."""
        if not self._next <= index <= self._next + _AHEAD or self._next < 0:
            backward = index + 1 in self._cache and index - 1 not in self._cache
            self._next = max(0, index - _BEHIND) if backward else index
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


def _jpeg(image: UInt8Array, quality: int) -> bytes:
    data = io.BytesIO()
    Image.fromarray(image).save(data, format="JPEG", quality=quality, subsampling=0)
    return data.getvalue()
