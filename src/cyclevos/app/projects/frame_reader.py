"""Any frame of a video, as JPEG or exact: decoders that keep their position, and pictures that are kept for a while."""

from __future__ import annotations

import threading

from cyclevos.app.errors import AppError, NotFoundError
from cyclevos.app.projects.kept_pictures import Decoder, KeptPictures
from cyclevos.app.projects.unreadable import unreadable
from cyclevos.errors import VideoError
from cyclevos.media.frames import Frame
from cyclevos.media.sources import FrameSource
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.jpeg import jpeg_bytes

_QUALITY = 90  # of the JPEGs
_AHEAD = 24  # frames up to which decoding on is faster than seeking
_BEHIND = 12  # frames decoded before the wanted one when a page steps backward


class FrameReader:
    """Frames of one source by index, encoded as JPEG; threads may share it.

    Args:
        source: the video.
        kept: keeps pictures of all videos of the server within one bound; None = within one of its own.
    """

    def __init__(self, source: FrameSource, kept: KeptPictures | None = None) -> None:
        self.source = source
        self._kept = KeptPictures() if kept is None else kept
        self._lock = threading.Lock()

    def jpeg(self, index: int) -> bytes:
        """Return a frame as JPEG at the video's own size.

        Raises:
            NotFoundError: the video ends before it.
            UnreadableError: it cannot be read.
            VideoError: the video cannot be decoded.
        """
        with self._lock:
            self._check(index)
            found = self._kept.jpegs.get(self, index)
            if found is not None:
                return found
            backward = self._is_backward(index)
            try:
                found = self._decode_to(index, self._decoder(index, backward), backward)
            except VideoError:
                # A frame before this one may be the broken one. Decoding again from the wanted frame gives the same
                # answer however the reader got here.
                found = self._decode_to(index, Decoder(self.source.iterate(start=index), index), backward)
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
        self._check(index)
        image = self._kept.exact.get(self, index)
        if image is not None:
            return image
        found = next(self.source.iterate(start=index), None)
        if found is None or found.index != index:
            raise self._none(index)
        self._kept.exact.put(self, index, found.image)
        return found.image

    def forget(self) -> None:
        """Give back what is kept of this video; frames are decoded again when somebody asks."""
        with self._lock:
            self._kept.forget(self)

    def offer(self, frame: Frame) -> None:
        """Keep a frame that was decoded elsewhere, since a page is likely to ask for it next."""
        self._keep(frame)

    def _decode_to(self, index: int, decoder: Decoder, backward: bool) -> bytes | None:
        """Decode up to a frame and return it as JPEG; None where the video ends before it."""
        found = None
        for frame in decoder.frames:
            # On the way forward, a page that plays passes the frames between over: encoding them would cost most.
            if frame.index == index:
                found = self._keep(frame)
            elif backward and not self._kept.jpegs.holds(self, frame.index):
                self._keep(frame)
            if frame.index >= index:  # later than the wanted one, where that cannot be read
                break
        if found is not None:  # else the stream has ended: it has no further frames
            self._kept.decoders.put(self, 0, Decoder(decoder.frames, index + 1))
        return found

    def _decoder(self, index: int, backward: bool) -> Decoder:
        """Return a decoder before a frame: the one that was used last, or one farther before it when going backward."""
        ahead = 0 if self.source.frame_names is not None else _AHEAD  # images are found without decoding others
        held = self._kept.decoders.pop(self, 0)
        if held is not None and held.next <= index <= held.next + ahead:
            return held
        start = max(0, index - _BEHIND) if backward else index
        return Decoder(self.source.iterate(start=start), start)

    def _is_backward(self, index: int) -> bool:
        """Return whether a page seems to step backward, so that the frames before are wanted next."""
        return self._kept.jpegs.holds(self, index + 1) and not self._kept.jpegs.holds(self, index - 1)

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

    def _keep(self, frame: Frame) -> bytes:
        data = jpeg_bytes(frame.image, _QUALITY, full_colour=True)
        self._kept.jpegs.put(self, frame.index, data)
        self._kept.exact.put(self, frame.index, frame.image)
        return data
