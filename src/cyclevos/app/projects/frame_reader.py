"""Any frame of a video, as JPEG or exact: decoders that keep their position, and pictures that are kept for a while."""

from __future__ import annotations

import threading
from bisect import bisect_right

from cyclevos.app.errors import AppError, NotFoundError
from cyclevos.app.projects.kept_pictures import Decoder, KeptPictures
from cyclevos.app.projects.unreadable import unreadable
from cyclevos.errors import VideoError
from cyclevos.media.decoded_frame import DecodedFrame, reduced_frame
from cyclevos.media.frames import Frame
from cyclevos.media.sources import FrameSource
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.jpeg import jpeg_bytes
from cyclevos.pictures.reduced import reduced_size

_QUALITY = 90  # of the JPEGs
_AHEAD = 24  # frames up to which decoding on is faster than seeking, even to a keyframe that lies between
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

    def jpeg(self, index: int, width: int | None = None) -> bytes:
        """Return a frame as JPEG.

        Args:
            index: of the frame.
            width: of the picture, which is reduced to it, for playing; None, or a width that the video does not exceed
                = at the video's own size, with the colour of every pixel.

        Raises:
            NotFoundError: the video ends before it.
            UnreadableError: it cannot be read.
            VideoError: the video cannot be decoded.
        """
        if width is not None and width >= self.source.size[1]:
            width = None
        with self._lock:
            self._check(index)
            found = self._kept.jpegs.get(self, (index, width))
            if found is not None:
                return found
            frame = self._kept.exact.get(self, index)
            if frame is None:
                frame = self._decoded(index, width)
            if width is None:
                return self._keep(frame)
            self._kept.exact.put(self, index, frame)  # where playing stops, all of it is asked for
        return self._reduced(frame, width)  # meanwhile, the next frame can be decoded

    def image(self, index: int) -> UInt8Array:
        """Return a frame as RGB uint8 (H,W,3), exact; at once if it was decoded lately. It is not to be changed.

        Raises:
            NotFoundError: the video ends before it.
            UnreadableError: it cannot be read.
            VideoError: the video cannot be decoded.
        """
        self._check(index)
        found = self._kept.exact.get(self, index)
        if found is None:
            found = next(self.source.iterate(start=index), None)
            if found is None or found.index != index:
                raise self._none(index)
        return self._keep_whole(found).image

    def forget(self) -> None:
        """Give back what is kept of this video; frames are decoded again when somebody asks."""
        with self._lock:
            self._kept.forget(self)

    def offer(self, frame: Frame) -> None:
        """Keep a frame that was decoded elsewhere, since a page is likely to ask for it next."""
        self._keep(frame)

    def _decoded(self, index: int, width: int | None) -> Frame:
        """Decode up to a frame and return it."""
        backward = self._is_backward(index, width)
        try:
            found = self._decode_to(index, self._decoder(index, backward), backward, width)
        except VideoError:
            # A frame before this one may be the broken one. Decoding again from the wanted frame gives the same
            # answer however the reader got here.
            found = self._decode_to(index, Decoder(self.source.unconverted(index), index), backward, width)
        if found is None:
            raise self._none(index)
        return found

    def _decode_to(self, index: int, decoder: Decoder, backward: bool, width: int | None) -> Frame | None:
        """Decode up to a frame and return it; None where the video ends before it."""
        found = None
        for frame in decoder.frames:
            # On the way forward, a page that plays passes the frames between over: making pictures of them would cost
            # most.
            if frame.index == index:
                found = frame
            elif backward and not self._kept.jpegs.holds(self, (frame.index, width)):
                self._keep(frame) if width is None else self._reduced(frame, width)
            if frame.index >= index:  # later than the wanted one, where that cannot be read
                break
        if found is not None:  # else the stream has ended: it has no further frames
            self._kept.decoders.put(self, 0, Decoder(decoder.frames, index + 1))
        return found

    def _decoder(self, index: int, backward: bool) -> Decoder:
        """Return a decoder before a frame: the one that was used last, or one farther before it when going backward."""
        held = self._kept.decoders.pop(self, 0)
        if held is not None and self._leads_to(index, held.next):
            return held
        start = max(0, index - _BEHIND) if backward else index
        return Decoder(self.source.unconverted(start), start)

    def _leads_to(self, index: int, following: int) -> bool:
        """Return whether decoding on reaches a frame sooner than seeking to the keyframe before it."""
        if self.source.frame_names is not None:  # images are found without decoding others
            return index == following
        if not following < index - _AHEAD:
            return following <= index
        table = self.source.seek_table
        return table is not None and bisect_right(table.keyframes, index) == bisect_right(table.keyframes, following)

    def _is_backward(self, index: int, width: int | None) -> bool:
        """Return whether a page seems to step backward, so that the frames before are wanted next."""
        holds = self._kept.jpegs.holds
        return holds(self, (index + 1, width)) and not holds(self, (index - 1, width))

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
        """Keep a frame and its JPEG, which is returned."""
        data = jpeg_bytes(self._keep_whole(frame).image, _QUALITY, full_colour=True)
        self._kept.jpegs.put(self, (frame.index, None), data)
        return data

    def _keep_whole(self, frame: Frame) -> Frame:
        """Keep a frame with its pixels converted."""
        whole = frame.whole() if isinstance(frame, DecodedFrame) else frame
        self._kept.exact.put(self, frame.index, whole)
        return whole

    def _reduced(self, frame: Frame, width: int) -> bytes:
        """Return a frame as JPEG of a width, which is kept."""
        data = jpeg_bytes(reduced_frame(frame, reduced_size(self.source.size, width)), _QUALITY)
        self._kept.jpegs.put(self, (frame.index, width), data)
        return data
