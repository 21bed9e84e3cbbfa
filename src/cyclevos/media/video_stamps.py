"""The time stamps of a video file's frames, and where decoding can begin."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

    from cyclevos.media.damaged_video import Gap


@dataclass
class Timeline:
    """Time stamp of every frame and where decoding can start; eight bytes a frame.

    Attributes:
        ordered: false if the time stamps do not distinguish the frames; they are then counted from the start.
        complete: the file has been decoded to its end.
        lost: packets at its end that gave no picture.
    """

    stamps: array[int] = field(default_factory=lambda: array("q"))
    keyframes: array[int] = field(default_factory=lambda: array("q"))
    ordered: bool = True
    complete: bool = False
    lost: int = 0

    def add(self, picture: VideoFrame | Gap) -> None:
        """Append the next frame."""
        stamp = picture.pts
        if picture.key_frame:
            self.keyframes.append(len(self.stamps))
        if stamp is None or (self.stamps and stamp <= self.stamps[-1]):
            self.ordered = False
        self.stamps.append(0 if stamp is None else stamp)


def entry_points(timeline: Timeline, begin: int) -> Iterator[int | None]:
    """Yield frames to seek to, the nearest first and then ever earlier ones; None is the file's beginning."""
    if timeline.ordered:
        position = bisect_right(timeline.keyframes, begin) - 1
        for step in (0, 1, 3):
            if position - step > 0:  # the keyframe at 0 is the beginning itself
                yield timeline.keyframes[position - step]
    yield None
