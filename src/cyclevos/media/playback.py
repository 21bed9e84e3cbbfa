"""How a source is played: what a video made from its frames needs beside them to look and sound alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction

from cyclevos.media.addresses import Place

_FINEST = 10_000_000  # ticks per second that an MP4 holds with room to spare


@dataclass(frozen=True)
class Playback:
    """How a source is played.

    Attributes:
        frame_rate: frames per second, the average where it varies; None if unknown.
        time_base: seconds of one tick of the frames' time stamps; None if they have no common one.
        begins: seconds at which the source's clock stands when it begins.
        pixel_aspect: width of an upright pixel by its height.
        sound: the video that holds the sound; None if there is none.
    """

    frame_rate: Fraction | None = None
    time_base: Fraction | None = None
    begins: Fraction = Fraction(0)
    pixel_aspect: Fraction = Fraction(1)
    sound: Place | None = None

    def square_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (height, width) of a frame whose pixels are made square.

        Example:
            >>> Playback(pixel_aspect=Fraction(4, 3)).square_size((720, 960))
            (720, 1280)
        """
        return size[0], max(1, round(size[1] * self.pixel_aspect))

    def silent(self) -> Playback:
        """Return the same without sound."""
        return replace(self, sound=None)


class Clock:
    """Gives the frames of a video their time stamps, each later than the last.

    Args:
        step: seconds between two frames that have no time.
        playback: how the source of the frames is played.

    Attributes:
        tick: seconds of one step of a time stamp.

    Example:
        >>> clock = Clock(Fraction(1, 25), Playback(time_base=Fraction(1, 1000)))
        >>> [clock.stamp(time) for time in (0.0, 0.04, 0.5, 0.5, None)]
        [0, 40, 500, 501, 541]
    """

    def __init__(self, step: Fraction, playback: Playback) -> None:
        base = playback.time_base
        self.tick = step if base is None or not 0 < base <= 1 or base.denominator > _FINEST else base
        self._step, self._begins = step, playback.begins
        self._last: int | None = None

    def stamp(self, time: float | None) -> int:
        """Return the stamp of the next frame.

        Args:
            time: seconds on the source's clock; None where the frame has none.
        """
        following = 0 if self._last is None else self._last + 1
        if time is not None:
            stamp = max(following, round((Fraction(time) - self._begins) / self.tick))
        else:
            stamp = 0 if self._last is None else self._last + max(1, round(self._step / self.tick))
        self._last = stamp
        return stamp
