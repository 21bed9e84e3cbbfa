"""How far a pass through a video file has come, held against what the container declares."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

# Containers that store their duration. For others FFmpeg guesses it from the bit rate.
_DECLARING_FORMATS = frozenset({"mov", "mp4", "matroska", "webm", "avi", "flv", "asf"})
# Broadcast streams lose packets all the time, and decoders cope with it.
_LOSSY_FORMATS = frozenset({"mpegts", "mpeg", "rtp", "rtsp"})


class Reach:
    """The ends of the packets of one pass.

    Args:
        container: the video.
        stream: its main stream.

    Attributes:
        is_lossy: marks of damage are usual in this format and mean nothing.
    """

    def __init__(self, container: InputContainer, stream: VideoStream) -> None:
        self._container, self._stream = container, stream
        self._formats = frozenset(container.format.name.split(","))
        self._video_end = Fraction(0)  # seconds, the end of the last packet seen
        self._any_end = Fraction(0)
        self.is_lossy = bool(self._formats & _LOSSY_FORMATS)

    def note(self, packet: Packet[Any]) -> bool:
        """Note where a packet ends; return whether it belongs to the video stream."""
        is_video: bool = packet.stream.index == self._stream.index
        if packet.pts is not None and packet.time_base is not None:
            end = (packet.pts + (packet.duration or 0)) * packet.time_base
            self._any_end = max(self._any_end, end)
            if is_video:
                self._video_end = max(self._video_end, end)
        return is_video

    def missing_seconds(self, count: int) -> Fraction | None:
        """Return by how much the pass falls clearly short of what is declared; None if it does not.

        Args:
            count: number of frames seen.
        """
        if not self._formats & _DECLARING_FORMATS:
            return None
        stream = self._stream
        rate = stream.average_rate or stream.guessed_rate or Fraction(25)
        declared_end, reached = self._declared_end()
        if declared_end is None:
            return None
        missing = declared_end - reached
        margin = max(3 / Fraction(rate), min(declared_end / 50, Fraction(1)))
        if missing <= margin or (stream.frames and count >= stream.frames - 3):
            return None
        return missing

    def _declared_end(self) -> tuple[Fraction | None, Fraction]:
        """Return the container's declared end in seconds, and the time reached on the same clock."""
        stream, container = self._stream, self._container
        if stream.duration and stream.time_base:
            start = stream.start_time or 0
            return (start + stream.duration) * stream.time_base, self._video_end
        tag = _clock_seconds(stream.metadata.get("DURATION", ""))
        if tag:
            return tag, self._video_end
        if container.duration:  # microseconds, of the longest stream
            start = container.start_time or 0
            return Fraction(start + container.duration, 1_000_000), self._any_end
        return None, self._any_end


def _clock_seconds(text: str) -> Fraction | None:
    """Seconds of "00:00:02.040000000", as Matroska tags write them."""
    try:
        hours, minutes, seconds = text.split(":")
        return int(hours) * 3600 + int(minutes) * 60 + Fraction(seconds)
    except ValueError:
        return None
