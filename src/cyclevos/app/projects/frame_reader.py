"""Any frame of a video, as JPEG or exact: a decoder that keeps its position, and caches of bounded size."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator

from cyclevos.app.errors import AppError, NotFoundError
from cyclevos.app.projects.unreadable import unreadable
from cyclevos.errors import VideoError
from cyclevos.media.frames import Frame
from cyclevos.media.sources import FrameSource
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.jpeg import jpeg_bytes

_QUALITY = 90  # of the JPEGs
_CACHE_BYTES = 192 * 2**20
_EXACT_BYTES = 128 * 2**20  # five frames at 4K: the one shown, those fetched ahead of it, and one to spare
_AHEAD = 24  # frames up to which decoding on is faster than seeking
_BEHIND = 12  # frames decoded before the wanted one when a page steps backward


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
        self._exact: OrderedDict[int, UInt8Array] = OrderedDict()
        self._stream: Iterator[Frame] = iter(())
        self._next = -1

    def jpeg(self, index: int) -> bytes:
        """Return a frame as JPEG at the video's own size.

        Raises:
            NotFoundError: the video ends before it.
            UnreadableError: it cannot be read.
            VideoError: the video cannot be decoded.
        """
        with self._lock:
            self._check(index)
            if index in self._cache:
                self._cache.move_to_end(index)
                return self._cache[index]
            try:
                found = self._decode_to(index)
            except VideoError:
                # A frame before this one may be the broken one. Decoding again from the wanted frame gives the same
                # answer however the reader got here.
                self._stream, self._next = self.source.iterate(start=index), index
                found = self._decode_to(index)
        if found is None:
            raise self._none(index)
        return found

    def image(self, index: int) -> UInt8Array:
        """Return a frame as RGB uint8 (H,W,3), exact; at once if it was decoded lately. It is not to be changed.

        Raises:
            NotFoundError: the video ends before it.
            UnreadableError: it cannot be read.
            VideoError: the video cannot be decoded.
        """
        with self._lock:
            self._check(index)
            if index in self._exact:
                self._exact.move_to_end(index)
                return self._exact[index]
        found = next(self.source.iterate(start=index), None)
        if found is None or found.index != index:
            raise self._none(index)
        with self._lock:
            self._keep_exact(found)
        return found.image

    def forget(self) -> None:
        """Give back the memory of the frames that are kept; they are decoded again when somebody asks."""
        with self._lock:
            self._cache.clear()
            self._exact.clear()
            self._held, self._next, self._stream = 0, -1, iter(())

    def offer(self, frame: Frame) -> None:
        """Keep a frame that was decoded elsewhere, since a page is likely to ask for it next."""
        data = jpeg_bytes(frame.image, _QUALITY, full_colour=True)
        with self._lock:
            self._keep(frame.index, data)
            self._keep_exact(frame)

    def _decode_to(self, index: int) -> bytes | None:
        """Decode up to a frame and return it as JPEG; None where the video ends before it."""
        reached, backward = -1, self._is_backward(index)
        try:
            for frame in self._from(index):
                reached = frame.index
                # On the way forward, a page that plays passes the frames between over: encoding them would cost most.
                if frame.index not in self._cache and (backward or frame.index == index):
                    self._keep(frame.index, jpeg_bytes(frame.image, _QUALITY, full_colour=True))
                    self._keep_exact(frame)
        finally:
            if reached != index:
                self._next = -1  # the stream has ended or failed: it has no further frames
        return self._cache[index] if reached == index else None

    def _from(self, index: int) -> Iterator[Frame]:
        """Yield frames up to the wanted one: from where the decoder is, or from before it when going backward."""
        ahead = 0 if self.source.frame_names is not None else _AHEAD  # images are found without decoding others
        if not self._next <= index <= self._next + ahead or self._next < 0:
            self._next = max(0, index - _BEHIND) if self._is_backward(index) else index
            self._stream = self.source.iterate(start=self._next)
        for frame in self._stream:
            self._next = frame.index + 1
            yield frame
            if frame.index >= index:  # later than the wanted one, where that cannot be read
                return

    def _is_backward(self, index: int) -> bool:
        """Return whether a page seems to step backward, so that the frames before are wanted next."""
        return index + 1 in self._cache and index - 1 not in self._cache

    def _check(self, index: int) -> None:
        """Refuse a frame that is known to be bad; of image files, which may have been replaced, reading says so."""
        why = self.source.why_unreadable(index)
        if why is not None and self.source.files is None:
            raise unreadable(index, why)

    def _none(self, index: int) -> AppError:
        why = self.source.why_unreadable(index)
        if why is not None:
            return unreadable(index, why)
        return NotFoundError(f"There is no frame {index}.", "Frames are counted from 0 to the video's last.")

    def _keep(self, index: int, data: bytes) -> None:
        self._held += len(data) - len(self._cache.pop(index, b""))
        self._cache[index] = data
        while self._held > _CACHE_BYTES and len(self._cache) > 1:
            self._held -= len(self._cache.popitem(last=False)[1])

    def _keep_exact(self, frame: Frame) -> None:
        self._exact.pop(frame.index, None)
        self._exact[frame.index] = frame.image
        while len(self._exact) > 1 and sum(image.nbytes for image in self._exact.values()) > _EXACT_BYTES:
            self._exact.popitem(last=False)
