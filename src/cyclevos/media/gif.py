"""The masks drawn over the video, as an animated GIF."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.overlay import blend
from cyclevos.media.playback import Clock, Playback
from cyclevos.media.video_encoding import Encoding, VideoEncoder
from cyclevos.media.writers import ResultWriter
from cyclevos.pictures.arrays import UInt8Array

SHORTER_SIDE = 360
"""Pixels of the shorter side of a GIF at most."""

_TICK = Fraction(1, 100)  # second: what a GIF counts
_SHORTEST = 2  # ticks; browsers show a frame of fewer for ten
_MICROSECOND = Fraction(1, 1_000_000)
_ENCODING = Encoding(
    "GIF", "gif", "gif", "pal8", container_options={"loop": "0"}, limit="A GIF has at most 65535 pixels per side."
)


class GifWriter(ResultWriter):
    """A GIF of the blended frames that is repeated for ever, each frame at its time to a hundredth of a second.

    Frames that would be shown for less than two hundredths are left out. Larger videos are scaled down to 360 pixels
    on their shorter side, and pixels that are not square are made so. Each frame has a palette of its own.

    Args:
        path: the GIF.
        frame_rate: frames per second; None for 24.
        appearance: its palette colours the objects.
        playback: how the source of the frames is played: its clock and pixel aspect count.
    """

    def __init__(
        self,
        path: str | Path,
        frame_rate: Fraction | float | None = None,
        appearance: Appearance = PLAIN,
        playback: Playback | None = None,
    ) -> None:
        self.path, self._palette = Path(path), appearance.palette
        playback = playback or Playback()
        self._playback = playback
        self._clock = Clock(1 / Fraction(frame_rate or 24).limit_denominator(1001), playback)
        self._encoder = VideoEncoder(path, _ENCODING, frame_rate, Playback(time_base=_TICK))
        self._last: int | None = None

    def write(self, result: FrameResult) -> None:
        """Encode one frame.

        Raises:
            ValueError: the ids do not fit the frame, or it has another size than the first one.
            OutputError: the system refuses to write.
        """
        import av

        result.check_ids()
        tick = round(self._clock.stamp(result.frame.time) * self._clock.tick / _TICK)
        if self._last is not None and tick - self._last < _SHORTEST:
            return
        self._last = tick
        image, ids = _resized(result.frame.image, result.ids, self._playback)
        colours = Image.fromarray(blend(image, ids, self._palette)).quantize(256, Image.Quantize.MEDIANCUT)
        palette = np.full((256, 4), 255, np.uint8)  # alpha, red, green, blue
        used = np.asarray(colours.getpalette(), np.uint8).reshape(-1, 3)
        palette[: len(used), 1:] = used
        indexed: Any = (np.asarray(colours), palette)
        picture = av.VideoFrame.from_ndarray(indexed, format="pal8")
        self._encoder.write_picture(picture, float(tick * _TICK))

    def close(self) -> None:
        """Complete the file and give it its final name; without frames, no file is written."""
        self._encoder.close()

    def abort(self) -> None:
        """Delete what was encoded so far."""
        self._encoder.abort()


def _resized(image: UInt8Array, ids: UInt8Array, playback: Playback) -> tuple[UInt8Array, UInt8Array]:
    """Return a frame and its ids in the GIF's size, with square pixels."""
    height, width = ids.shape
    square = playback.square_size((height, width))
    scale = min(1.0, SHORTER_SIDE / min(square))
    size = max(1, round(square[1] * scale)), max(1, round(square[0] * scale))
    if size == (width, height):
        return image, ids
    smaller = Image.fromarray(image).resize(size, Image.Resampling.LANCZOS)
    return np.asarray(smaller), np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))
