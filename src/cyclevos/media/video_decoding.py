"""Decoding one pass of a video file with PyAV: readable errors, truncated files detected."""

from __future__ import annotations

import logging
from collections.abc import Generator, Iterator
from heapq import heappop, heappush
from typing import TYPE_CHECKING, Any

from cyclevos.errors import VideoError
from cyclevos.media.addresses import Place
from cyclevos.media.video_opening import error_text, open_video
from cyclevos.media.video_reach import Reach

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

logger = logging.getLogger(__name__)

DAMAGED = "its data is damaged"
"""Why a frame is refused that FFmpeg covered up with parts of others."""


def decode(path: Place, seek_pts: int | None = None) -> Generator[VideoFrame, None, int]:
    """Decode pictures in display order, not yet turned upright nor converted.

    Args:
        path: the video.
        seek_pts: start at the keyframe at or before this time stamp (in the stream's time base)
            instead of at the beginning; whether the file is complete is then not checked.

    Returns:
        The number of packets that gave no picture. Some codecs have such; else, FFmpeg has dropped damaged ones.

    Raises:
        VideoError: the file cannot be decoded, or not to its end; every good picture before that has been yielded.
    """
    with open_video(path) as (container, stream):
        if seek_pts is not None:
            seek(path, container, stream, seek_pts)
        return (yield from decode_opened(path, container, stream, sought=seek_pts is not None))


def seek(path: Place, container: InputContainer, stream: VideoStream, pts: int) -> None:
    """Go to the keyframe at or before a time stamp.

    Raises:
        VideoError: FFmpeg cannot.
    """
    import av

    try:
        container.seek(pts, stream=stream, backward=True)
    except (av.error.FFmpegError, OSError) as error:
        raise VideoError(f"Seeking in {path} failed ({error_text(error)}).", "Convert the file.") from error


def decode_opened(
    path: Place, container: InputContainer, stream: VideoStream, *, sought: bool = False
) -> Generator[VideoFrame, None, int]:
    """Decode the pictures of an opened video from where it stands; otherwise like :func:`decode`.

    Args:
        path: of the video, for messages.
        container: the video.
        stream: its main stream.
        sought: it does not stand at its beginning.
    """
    decoding = _Pass(path, container, stream, sought=sought)
    yield from decoding.pictures()
    if not sought:
        decoding.check_end()
    return len(decoding.due)


class _Pass:
    """One pass through the packets; keeps track of how far it got, so that a file that ends early is detected."""

    def __init__(self, path: Place, container: InputContainer, stream: VideoStream, *, sought: bool) -> None:
        self.path, self.container, self.stream = path, container, stream
        self.count = 0
        self.reach = Reach(container, stream)
        self.first_error: BaseException | str | None = None
        # Whether the first packets lack their keyframe, so that errors before the first picture mean nothing.
        self.headless: bool | None = True if sought else None
        self.sought = sought
        # Heap of packets whose pictures have not been returned yet: time stamp, number in decoding order.
        self.due: list[tuple[int, int]] = []
        self.packets = 0

    def pictures(self) -> Iterator[VideoFrame]:
        """Yield every picture up to the first that is damaged or missing; leading packets may lack their keyframe."""
        import av

        packets = self.container.demux(self.stream, *self.container.streams.audio)
        failure: BaseException | str | None = None
        while failure is None:
            pictures: list[Any] = []
            packet = None
            try:
                packet = next(packets, None)
                if packet is None:
                    return
                if not self._note(packet):
                    continue
                if packet.is_corrupt and not self.reach.is_lossy:
                    failure = "its data ends inside this frame"
                else:
                    pictures = packet.decode()
            except av.error.EOFError:
                continue  # the decoder was called again after its end
            except (av.error.FFmpegError, OSError) as error:
                # A decoder delays pictures, so a missing one may show only later.
                failure = None if self.headless and not self.count and packet is not None else error
                self.first_error = self.first_error or error
            for picture in pictures:
                if self._is_damaged(picture):
                    self.first_error = failure = DAMAGED
                    break
                yield self._counted(picture)
        for picture in self._before_gap(self._flush()):
            yield self._counted(picture)
        if self.count:
            raise self._broken(failure)

    def check_end(self) -> None:
        """Raise VideoError if nothing was decoded, or clearly less than the container declares."""
        if not self.count:
            why = f" ({error_text(self.first_error)})" if self.first_error else ""
            raise VideoError(
                f"{self.path} has a video stream but no frame that can be decoded{why}. Expected at least one frame.",
                "Convert or record the file again.",
            )
        missing = self.reach.missing_seconds(self.count)
        if missing:
            raise self._broken(f"the file declares {float(missing):.2f} s more")

    def _note(self, packet: Packet[Any]) -> bool:
        """Note where this packet ends; return whether it belongs to the video stream."""
        is_video = self.reach.note(packet)
        if is_video and packet.size:
            self.headless = not packet.is_keyframe if self.headless is None else self.headless
            if packet.pts is not None and not packet.is_discard:
                heappush(self.due, (packet.pts, self.packets))
            self.packets += 1
        return is_video

    def _counted(self, picture: VideoFrame) -> VideoFrame:
        if self.headless and not self.sought:
            lost = sum(stamp < (picture.pts or 0) for stamp, _ in self.due) if not self.count else 0
            if lost:
                text = "%s begins without a keyframe that can be decoded: %d pictures before its frame 0 are left out"
                logger.warning(text, self.path, lost)
            self.headless = picture.is_corrupt
        self.count += 1
        while self.due and (picture.pts is None or self.due[0][0] <= picture.pts):
            heappop(self.due)  # frames that are never shown too, such as VP8's hidden ones
        return picture

    def _before_gap(self, pictures: list[VideoFrame]) -> list[VideoFrame]:
        """After a failure, keep the pictures that precede the missing one and were decoded without it."""
        came = {picture.pts for picture in pictures if not self._is_damaged(picture)}
        lost = min((number for stamp, number in self.due if stamp not in came), default=self.packets)
        good = []
        for picture, (stamp, number) in zip(pictures, sorted(self.due), strict=False):
            if picture.pts != stamp or number > lost or self._is_damaged(picture):
                break
            good.append(picture)
        return good

    def _is_damaged(self, picture: VideoFrame) -> bool:
        """Return whether FFmpeg marked a picture as damaged; false where such marks are usual."""
        usual = self.headless or self.reach.is_lossy  # after a seek, headless until the pass ends
        return bool(picture.is_corrupt and not usual)

    def _flush(self) -> list[VideoFrame]:
        import av

        try:
            pictures = self.stream.decode(None)
        except (av.error.FFmpegError, OSError):
            return []
        for picture in pictures:  # older PyAV does not know their time base, as they come without a packet
            picture.time_base = self.stream.time_base or picture.time_base
        return pictures

    def _broken(self, why: BaseException | str) -> VideoError:
        return VideoError(
            f"{self.path} breaks off at frame {self.count}: {error_text(why)}. The {self.count} frames before it are "
            "good.",
            "Copy or download the whole file again, or re-encode what is there "
            f"(ffmpeg -i {self.path.name} repaired.mp4).",
        )
