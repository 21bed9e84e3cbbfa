"""A stream that plays once: a camera, or an address without length. Forward only, in one pass."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.errors import VideoError
from cyclevos.media.addresses import Address
from cyclevos.media.frames import Frame, check_same_size
from cyclevos.media.playback import Playback
from cyclevos.media.sources import FrameSource
from cyclevos.media.video_decoding import decode_opened
from cyclevos.media.video_opening import open_video
from cyclevos.media.video_pixels import upright_rgb
from cyclevos.media.video_traits import conversion_of, note_appearance, playback_of
from cyclevos.naming import index_name

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from av.video.frame import VideoFrame


class LiveStream(FrameSource):
    """A camera or another stream that can be read once, from its beginning; it stays open until it has been read.

    Until frame 1 is read, frame 0 can be read any number of times. If the connection breaks, the stream ends there,
    with a warning.

    Args:
        address: of the stream; its first frame is decoded here.
        deinterlace: make each frame from one of its two fields.

    Raises:
        VideoError: nothing answers there, or what answers is not a video.
    """

    def __init__(self, address: Address, *, deinterlace: bool = False) -> None:
        self.address = address
        self.path = Path(address.name)
        self.name = self.path.stem or address.name
        self._began = time.time_ns()
        self._begun = False
        with ExitStack() as opened:
            container, stream = opened.enter_context(open_video(address))
            self._conversion = conversion_of(address, stream, deinterlace=deinterlace)
            playback = playback_of(address, container, stream)
            self._pictures = decode_opened(address, container, stream)
            first = next(self._pictures)
            note_appearance(address, first, self._conversion)
            self._first = self._frame(0, first)
            # Its clock may show for how long the camera has been on. The sound is gone when the overlay is made.
            self._playback = replace(playback, begins=Fraction(self._first.time or 0), sound=None)
            self._opened_stream = opened.pop_all()

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame, upright."""
        return self._first.size

    @property
    def len_hint(self) -> None:
        """None: the end of a stream is not known."""
        return

    @property
    def frame_rate(self) -> Fraction | None:
        """Average frames per second; None where the stream does not say."""
        return self._playback.frame_rate

    @property
    def playback(self) -> Playback:
        """Times and pixel aspect; the sound is not kept."""
        return self._playback

    @property
    def location(self) -> str:
        """The address."""
        return str(self.address)

    @property
    def identity(self) -> str:
        """Different for each run: a stream cannot be read again."""
        return f"read live, {self._began}"

    @property
    def can_be_read_again(self) -> bool:
        """False."""
        return False

    @property
    def treatment(self) -> str:
        """``deinterlaced`` where it is."""
        return self._conversion.treatment

    def iterate(self, *, reverse: bool = False, start: int | None = None) -> Iterator[Frame]:
        """Stream the frames, once; see FrameSource.iterate.

        Raises:
            VideoError: as there; or the stream is to be read backward or a second time.
        """
        if reverse:
            raise VideoError(
                f"{self.address} is a stream, which cannot be read backward.",
                f"Use --direction forward, or record it first: {self.recording}",
            )
        return self._forward(start or 0)

    @property
    def recording(self) -> str:
        """A command that makes a file of a minute of the stream."""
        kind = f"-f {self.address.format} " if self.address.format else ""
        return f"ffmpeg -t 60 {kind}-i {self.address if not kind else self.address.url} clip.mp4"

    def _forward(self, start: int) -> Iterator[Frame]:
        if self._begun:
            raise VideoError(
                f"{self.address} is a stream, which can be read only once.", f"Record it first: {self.recording}"
            )
        if start == 0:
            yield self._first
        self._begun = True
        with self._opened_stream:
            for index, picture in enumerate(self._until_it_ends(), start=1):
                if index >= start:
                    frame = self._frame(index, picture)
                    check_same_size(index_name(0), self.size, frame.name, frame.size, str(self.address))
                    yield frame

    def _until_it_ends(self) -> Iterator[VideoFrame]:
        """Yield pictures until the stream ends or breaks off; a break counts as the end."""
        try:
            yield from self._pictures
        except VideoError as error:
            logger.warning("%s The stream is taken to end here.", error.problem)

    def _frame(self, index: int, picture: VideoFrame) -> Frame:
        seconds = None if picture.pts is None else picture.time
        return Frame(index, index_name(index), upright_rgb(picture, self._conversion), seconds)
