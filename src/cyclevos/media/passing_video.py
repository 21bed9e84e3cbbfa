"""A video file whose frames that cannot be decoded are passed over instead of ending it."""

from __future__ import annotations

import logging
from array import array
from bisect import bisect_left
from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

from cyclevos.errors import VideoError
from cyclevos.media.addresses import Place
from cyclevos.media.damaged_video import Gap, decode_every
from cyclevos.media.decoded_frame import DecodedFrame
from cyclevos.media.frames import other_size
from cyclevos.media.video_decoding import decode
from cyclevos.media.video_file import VideoFile
from cyclevos.media.video_stamps import Timeline, entry_points

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

logger = logging.getLogger(__name__)


class PassingVideo(VideoFile):
    """A video file of which every frame that can be decoded is read, and each keeps its number.

    A whole file is decoded as any other. Where that fails, decoding begins again with more care, on one thread.

    Args:
        path: see VideoFile.
        deinterlace: see there.

    Raises:
        VideoError: the file is not a video, or has no frame that can be decoded.
    """

    def __init__(self, path: str | Place, *, deinterlace: bool = False) -> None:
        self.bad: dict[int, str] = {}
        self._is_damaged = False
        super().__init__(path, deinterlace=deinterlace)

    def time_of(self, index: int) -> float | None:
        """Return the time of a frame in seconds, whether it can be read or not; None if it is not known."""
        known, base = self._timeline, self._playback.time_base
        return float(known.stamps[index] * base) if known.ordered and base and index < len(known.stamps) else None

    def _first_picture(self) -> VideoFrame:
        try:
            return super()._first_picture()
        except VideoError:
            self._is_damaged = True
            found = next((each for each in decode_every(self._place) if not isinstance(each, Gap)), None)
            if found is None:
                raise
            return found

    def _forward(self, start: int) -> Iterator[DecodedFrame]:
        if self._is_damaged or self.bad:
            yield from self._passing(start)
            return
        following = start
        try:
            for frame in super()._forward(start):
                yield frame
                following = frame.index + 1
            if not self._timeline.lost:
                return
        except VideoError as error:
            logger.warning("%s; its frames are read one by one from here on", error.problem.rstrip("."))
        self._is_damaged = True
        self._timeline = self._timeline if self._timeline.complete and not self._timeline.lost else Timeline()
        yield from self._passing(following)

    def _passing(self, start: int) -> Iterator[DecodedFrame]:
        known = self._timeline
        if not known.complete:
            yield from self._from_beginning(start)
        elif known.ordered:
            yield from self._from_keyframe(known, start)
        else:
            yield from self._until_damage(start)

    def _from_beginning(self, start: int) -> Iterator[DecodedFrame]:
        """Decode the whole file, learning where its frames are and which cannot be read."""
        timeline = Timeline()
        for picture in self._every_picture():
            index = len(timeline.stamps)
            timeline.add(picture)
            frame = self._seen(index, picture) if index >= start or isinstance(picture, Gap) else None
            if frame is not None:
                yield frame
        good = len(self._begun.stamps)
        if len(timeline.stamps) < good:  # without care there were more: they have no time stamps
            timeline = Timeline(array("q", bytes(8 * good)), ordered=False)
        timeline.complete = True
        self._timeline = timeline

    def _every_picture(self) -> Iterator[VideoFrame | Gap]:
        self.cut_short = yield from decode_every(self._place)

    def _until_damage(self, start: int) -> Iterator[DecodedFrame]:
        try:
            for index, picture in enumerate(decode(self._place)):
                if index >= start:
                    yield self._frame(index, picture)
        except VideoError:
            return

    def _from_keyframe(self, known: Timeline, start: int) -> Iterator[DecodedFrame]:
        """Decode from a keyframe before the first good frame from `start` on; what turns out to be bad is passed over.

        A seek may land where decoding cannot begin, so earlier keyframes are tried as well.
        """
        count = len(known.stamps)
        start = next((index for index in range(start, count) if index not in self.bad), count)
        if start == count:
            return
        for seek_to in entry_points(known, start):
            pictures = decode_every(self._place, None if seek_to is None else known.stamps[seek_to])
            found = next((each for each in pictures if each.pts is not None and each.pts >= known.stamps[start]), None)
            if found is None or (seek_to is not None and (isinstance(found, Gap) or found.pts != known.stamps[start])):
                continue
            for picture in chain([found], pictures):
                index = bisect_left(known.stamps, picture.pts or 0)
                if index < count and known.stamps[index] == picture.pts:
                    frame = self._seen(index, picture)
                    if frame is not None:
                        yield frame
            return
        raise self._changing(f"frame {start} is not where it was when the file was read before")

    def _seen(self, index: int, picture: VideoFrame | Gap) -> DecodedFrame | None:
        """Return a picture as a frame; None if it cannot be read, for a reason that is noted."""
        if isinstance(picture, Gap):
            self.bad.setdefault(index, picture.why)
        if index in self.bad or isinstance(picture, Gap):
            return None
        frame = self._frame(index, picture)
        why = other_size(frame.size, self._size)
        if why is not None:
            self.bad[index] = why
            return None
        return frame

    def _scan(self, start: int | None) -> Timeline:
        """Find every frame's time stamp by one whole pass."""
        if not self._timeline.complete:
            for _ in self._forward(0):
                pass
        return self._timeline

    def _decode_range(
        self, timeline: Timeline, begin: int, end: int, seek_to: int | None
    ) -> list[VideoFrame | None] | None:
        if not timeline.ordered or not (self._is_damaged or self.bad):
            return super()._decode_range(timeline, begin, end, seek_to)
        wanted: list[VideoFrame | None] = [None] * (end - begin + 1)
        stamps: array[int] = timeline.stamps
        for picture in decode_every(self._place, None if seek_to is None else stamps[seek_to]):
            if picture.pts is None or picture.pts > stamps[end]:
                break
            index = bisect_left(stamps, picture.pts)
            if index < begin or stamps[index] != picture.pts or index in self.bad:
                continue
            if isinstance(picture, Gap):
                if seek_to is not None:
                    return None
                self.bad[index] = picture.why
            else:
                wanted[index - begin] = picture
        whole = all(picture is not None or index in self.bad for index, picture in enumerate(wanted, start=begin))
        return wanted if whole or seek_to is None else None
