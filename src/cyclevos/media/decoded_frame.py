"""A frame as the decoder gave it: its pixels are converted when somebody asks for them, at the size asked for."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from cyclevos.media.frames import Frame
from cyclevos.media.video_pixels import Conversion, is_on_its_side, upright_rgb
from cyclevos.naming import index_name
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.reduced import reduced_image

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


class DecodedFrame(Frame):
    """A frame of a video file that is not yet RGB.

    Args:
        index: 0-based position in the source.
        picture: the decoder's.
        conversion: how it becomes RGB.
    """

    _parts: tuple[VideoFrame, Conversion, threading.Lock]

    def __init__(self, index: int, picture: VideoFrame, conversion: Conversion) -> None:
        time = None if picture.pts is None else picture.time
        for name, value in {"index": index, "name": index_name(index), "time": time, "path": None}.items():
            object.__setattr__(self, name, value)  # as dataclasses do where they are frozen
        object.__setattr__(self, "_parts", (picture, conversion, threading.Lock()))

    @property
    def image(self) -> UInt8Array:
        """Uint8 RGB (H, W, 3), converted each time."""
        return self._converted(None)

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels, upright."""
        picture = self._parts[0]
        size = picture.height, picture.width
        return size[::-1] if is_on_its_side(picture) else size

    @property
    def nbytes(self) -> int:
        """Memory that the decoder's picture takes, in bytes."""
        return sum(plane.buffer_size for plane in self._parts[0].planes)

    def reduced(self, size: tuple[int, int]) -> UInt8Array:
        """Return uint8 RGB (h, w, 3) at a smaller size; see `reduced_frame`."""
        return self._converted(size)

    def whole(self) -> Frame:
        """Return the frame with its pixels converted."""
        return Frame(self.index, self.name, self.image, self.time)

    def _converted(self, size: tuple[int, int] | None) -> UInt8Array:
        picture, conversion, lock = self._parts
        with lock:  # FFmpeg's converter belongs to the picture
            return upright_rgb(picture, conversion, size)


def reduced_frame(frame: Frame, size: tuple[int, int]) -> UInt8Array:
    """Return a frame as RGB uint8 (h,w,3) at a smaller size (h, w), for looking at; one of a video is never whole."""
    return frame.reduced(size) if isinstance(frame, DecodedFrame) else reduced_image(frame.image, size)
