"""A video file as a source: streamed forwards, and backwards chunk by chunk in bounded memory."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import replace
from fractions import Fraction
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from cyclevos.errors import VideoError
from cyclevos.media.addresses import Address, Place
from cyclevos.media.decoded_frame import DecodedFrame
from cyclevos.media.frames import Frame, check_same_size
from cyclevos.media.playback import Playback
from cyclevos.media.sources import FrameSource, SeekTable
from cyclevos.media.video_decoding import decode
from cyclevos.media.video_opening import open_video
from cyclevos.media.video_pixels import display_turn, is_on_its_side
from cyclevos.media.video_stamps import Timeline, entry_points
from cyclevos.media.video_traits import conversion_of, note_appearance, note_other_streams, playback_of
from cyclevos.naming import index_name

if TYPE_CHECKING:
    from av.video.frame import VideoFrame

# Frames that backward streaming may hold at once. A longer group of pictures is decoded more than once.
_CHUNK_BYTES = 96 * 2**20
_CHUNK_FRAMES = 128


class VideoFile(FrameSource):
    """A video that FFmpeg can decode, turned upright; no frame is duplicated or dropped.

    High dynamic range is mapped to what an ordinary screen shows.

    Args:
        path: the file, or its address on a server; its first frame is decoded here.
        deinterlace: make each frame from one of its two fields.

    Raises:
        VideoError: the file is not a video or has no frame that can be decoded; or it is to be deinterlaced, and this
            build of PyAV cannot do that.
    """

    def __init__(self, path: str | Place, *, deinterlace: bool = False) -> None:
        self._place: Place = path if isinstance(path, Address) else Path(path)
        self.path = Path(self._place.name) if isinstance(self._place, Address) else self._place
        self.name = self.path.stem
        self._timeline = self._begun = Timeline()
        with open_video(self._place) as (container, stream):
            note_other_streams(self._place, container, stream)
            self._declared_frames = stream.frames or None
            self._conversion = conversion_of(self._place, stream, deinterlace=deinterlace)
            self._playback = playback_of(self._place, container, stream)
            self._declared = f"{container.size} bytes, {container.duration} microseconds"
        first = self._first_picture()
        note_appearance(self._place, first, self._conversion)
        self._size = self._frame(0, first).whole().size
        self._turn = display_turn(first)
        if is_on_its_side(first):
            self._playback = replace(self._playback, pixel_aspect=1 / self._playback.pixel_aspect)

    @property
    def location(self) -> str:
        """The path of the file in full, or its address."""
        return str(self._place) if isinstance(self._place, Address) else super().location

    @property
    def identity(self) -> str:
        """The content in a few words; of a file on a server its size and duration."""
        return self._declared if isinstance(self._place, Address) else super().identity

    def camera_turn(self, index: int) -> Image.Transpose | None:
        """Return how the file's display matrix turns its pictures."""
        return self._turn

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame, upright."""
        return self._size

    @property
    def len_hint(self) -> int | None:
        """Number of frames: the container's figure, or the exact one once the video has been streamed to its end."""
        return len(self._timeline.stamps) if self._timeline.complete else self._declared_frames

    @property
    def frame_rate(self) -> Fraction | None:
        """Average frames per second."""
        return self._playback.frame_rate

    @property
    def playback(self) -> Playback:
        """Times, pixel aspect and sound of the file."""
        return self._playback

    @property
    def treatment(self) -> str:
        """``deinterlaced`` where it is."""
        return self._conversion.treatment

    def iterate(self, *, reverse: bool = False, start: int | None = None) -> Iterator[Frame]:
        """Stream the frames; see FrameSource.iterate.

        Streaming backwards first decodes the video once up to `start`, unless it has been streamed to its end before.
        Streaming forwards decodes the frames before `start` too; after a complete pass, only those from a keyframe
        near it.
        """
        frames = self._backward(start) if reverse else self._forward(start or 0)
        return (frame.whole() for frame in frames)

    def unconverted(self, start: int) -> Iterator[Frame]:
        """Stream frames that are made RGB when somebody asks for their image; see FrameSource.unconverted."""
        return self._forward(start)

    @property
    def seek_table(self) -> SeekTable | None:
        """Where every frame lies, for a later :meth:`use_seek_table`; None before the file was read to its end."""
        known = self._timeline
        return SeekTable(list(known.stamps), list(known.keyframes)) if known.complete and known.ordered else None

    def use_seek_table(self, table: SeekTable) -> None:
        """Take the place of a complete pass through the file."""
        self._timeline = Timeline(array("q", table.stamps), array("q", table.keyframes), complete=True)

    def _first_picture(self) -> VideoFrame:
        with closing(decode(self._place)) as pictures:
            return next(pictures)

    def _forward(self, start: int) -> Iterator[DecodedFrame]:
        known = self._timeline
        if known.complete and known.ordered and 0 < start < len(known.stamps):
            sought = self._sought(known, start)
            if sought is not None:
                yield from self._following(known, start, sought)
                return
        timeline = Timeline()
        for index, picture in enumerate(self._all_pictures(timeline)):
            if index >= start:
                frame = self._frame(index, picture)
                check_same_size(index_name(0), self._size, frame.name, frame.size, str(self._place))
                yield frame

    def _all_pictures(self, timeline: Timeline) -> Generator[VideoFrame, None, None]:
        """Decode the file from its beginning and fill in a timeline, which is kept once it is complete."""
        self._begun = timeline
        with closing(self._decoded(timeline)) as pictures:
            for picture in pictures:
                timeline.add(picture)
                yield picture
        timeline.complete = True
        self._timeline = timeline

    def _decoded(self, timeline: Timeline) -> Generator[VideoFrame, None, None]:
        timeline.lost = yield from decode(self._place)

    def _sought(self, timeline: Timeline, start: int) -> Iterator[VideoFrame] | None:
        """Seek to a keyframe before `start` and return the pictures from there on; None if the seek lands elsewhere."""
        for seek_to in entry_points(timeline, start):
            if seek_to is None:
                break
            pictures = decode(self._place, timeline.stamps[seek_to])
            try:
                found = next((p for p in pictures if p.pts is None or p.pts >= timeline.stamps[start]), None)
            except VideoError:
                continue
            if found is not None and found.pts == timeline.stamps[start] and not found.is_corrupt:
                return chain([found], pictures)
        return None

    def _following(self, timeline: Timeline, start: int, pictures: Iterator[VideoFrame]) -> Iterator[DecodedFrame]:
        index = start
        for picture in pictures:
            if index == len(timeline.stamps) or picture.pts != timeline.stamps[index]:
                break
            frame = self._frame(index, picture)
            check_same_size(index_name(0), self._size, frame.name, frame.size, str(self._place))
            yield frame
            index += 1
        else:
            if index == len(timeline.stamps):
                return
        raise self._changing(f"frame {index} is not where it was when the file was read before")

    def _backward(self, start: int | None) -> Iterator[DecodedFrame]:
        timeline = self._scan(start)
        last = len(timeline.stamps) - 1
        end = last if start is None else min(start, last)
        while end >= 0:
            begin, pictures = self._chunk(timeline, end)
            for index in range(end, begin - 1, -1):
                picture = pictures.pop()
                if picture is None:
                    continue
                frame = self._frame(index, picture)
                check_same_size(index_name(0), self._size, frame.name, frame.size, str(self._place))
                yield frame
            end = begin - 1

    def _frame(self, index: int, picture: VideoFrame) -> DecodedFrame:
        return DecodedFrame(index, picture, self._conversion)

    def _scan(self, start: int | None) -> Timeline:
        """Find every frame's time stamp up to `start` by decoding, as those of packets are not exact."""
        known = self._timeline
        if known.complete or (start is not None and start < len(known.stamps)):
            return known
        timeline = Timeline()
        with closing(self._all_pictures(timeline)) as pictures:
            for _ in pictures:
                if len(timeline.stamps) - 1 == start:
                    break
        self._timeline = timeline
        return timeline

    def _chunk(self, timeline: Timeline, end: int) -> tuple[int, list[VideoFrame | None]]:
        """Decode the pictures `begin..end`, as many as may be held, from a keyframe if possible."""
        height, width = self._size
        held = max(4, min(_CHUNK_FRAMES, _CHUNK_BYTES // (height * width * 2)))
        begin = max(0, end - held + 1)
        position = bisect_left(timeline.keyframes, begin)
        if position < len(timeline.keyframes) and timeline.keyframes[position] <= end:
            begin = timeline.keyframes[position]
        for seek_to in entry_points(timeline, begin):
            pictures = self._decode_range(timeline, begin, end, seek_to)
            if pictures is not None:
                return begin, pictures
        raise self._changing(f"frames {begin} to {end} cannot be decoded a second time")

    def _changing(self, what: str) -> VideoError:
        return VideoError(
            f"{self._place}: {what}. The file must not change while it is read.",
            "Wait until it is written, then run again.",
        )

    def _decode_range(
        self, timeline: Timeline, begin: int, end: int, seek_to: int | None
    ) -> list[VideoFrame | None] | None:
        """Return pictures `begin..end`, or None if the seek landed in the wrong place."""
        stamps = timeline.stamps
        pictures: list[VideoFrame | None] = []
        try:
            for index, picture in enumerate(decode(self._place, None if seek_to is None else stamps[seek_to])):
                if seek_to is None:
                    wanted = index >= begin
                elif picture.pts is None:
                    return None
                else:
                    wanted = picture.pts >= stamps[begin]
                    if wanted and (picture.is_corrupt or picture.pts != stamps[begin + len(pictures)]):
                        return None
                if wanted:
                    pictures.append(picture)
                if len(pictures) == end - begin + 1:
                    return pictures
        except VideoError:
            return None
        return None
