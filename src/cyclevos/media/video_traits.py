"""What is special about a video file: told to the user once, or kept for the videos made from it."""

from __future__ import annotations

import logging
from fractions import Fraction
from typing import TYPE_CHECKING

from cyclevos.errors import VideoError
from cyclevos.media.addresses import Place
from cyclevos.media.playback import Playback
from cyclevos.media.tone_mapping import is_high_dynamic_range
from cyclevos.media.video_opening import real_video_streams
from cyclevos.media.video_pixels import Conversion, can_deinterlace

if TYPE_CHECKING:
    from av.container import InputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_MICROSECONDS = 1_000_000  # container times are counted in these
logger = logging.getLogger(__name__)


def playback_of(path: Place, container: InputContainer, stream: VideoStream) -> Playback:
    """Return how an opened file is played; the pixel aspect is that of the stored, not yet upright picture."""
    rate = stream.average_rate or stream.guessed_rate
    aspect = stream.sample_aspect_ratio or stream.codec_context.sample_aspect_ratio
    return Playback(
        Fraction(rate) if rate else None,
        Fraction(stream.time_base) if stream.time_base else None,
        # A clock that begins below 0 belongs to sound that precedes the picture.
        max(Fraction(0), Fraction(container.start_time or 0, _MICROSECONDS)),
        Fraction(aspect) if aspect else Fraction(1),
        path if container.streams.audio else None,
    )


def conversion_of(path: Place, stream: VideoStream, *, deinterlace: bool) -> Conversion:
    """Return how the pictures of an opened video become frames.

    Raises:
        VideoError: it is to be deinterlaced, and this build of PyAV cannot do that.
    """
    if deinterlace and not can_deinterlace():
        raise VideoError(
            f"{path} cannot be deinterlaced: this build of PyAV lacks FFmpeg's filter for it.",
            "Deinterlace it beforehand: ffmpeg -i in.mp4 -vf bwdif out.mp4",
        )
    return Conversion(int(stream.codec_context.color_trc or 0), deinterlace)


def note_other_streams(path: Place, container: InputContainer, chosen: VideoStream) -> None:
    """Say which of several video streams is read."""
    # An animated AVIF comes with a still of itself.
    streams = [stream for stream in real_video_streams(container) if stream.frames != 1]
    if len(streams) > 1:
        sizes = ", ".join(f"{stream.width}x{stream.height}" for stream in streams)
        number = [stream.index for stream in streams].index(chosen.index) + 1
        logger.warning("%s holds %d video streams (%s): number %d is read", path, len(streams), sizes, number)


def note_appearance(path: Place, picture: VideoFrame, conversion: Conversion) -> None:
    """Say what a video's frames look like where that is not what the file holds, or not what the network expects."""
    if is_high_dynamic_range(conversion.transfer):
        logger.warning(
            "%s has high dynamic range: its frames and the overlay are toned down to an ordinary screen's", path
        )
    if picture.interlaced_frame and not conversion.deinterlace:
        logger.warning(
            "%s is interlaced, so that edges in motion look like combs: --deinterlace makes each frame from one of its "
            "two fields",
            path,
        )
