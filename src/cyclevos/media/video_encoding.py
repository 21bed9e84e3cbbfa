"""Encoding the frames of a video into a file, each at its time, with the source's sound and pixel aspect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, temporary_path
from cyclevos.media.playback import Clock, Playback
from cyclevos.media.sound import MOV_SOUND, MP4_SOUND, WEBM_SOUND, SoundCodecs, SoundTrack
from cyclevos.media.writers import SIGNATURE
from cyclevos.pictures.arrays import UInt8Array

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_DEFAULT_RATE = Fraction(24)
_LARGEST_RATE = 240  # frames per second; a source that claims more has a broken clock
# Written into the file, so that players need not guess the colour space.
_COLOURS = {"color_primaries": "bt709", "color_trc": "bt709", "colorspace": "bt709"}


@dataclass(frozen=True)
class Encoding:
    """A kind of video file.

    Attributes:
        name: of the codec, for messages.
        container: FFmpeg's name of the kind of file.
        encoder: FFmpeg's name of the encoder.
        pixels: FFmpeg's name of the pixel format.
        options: of the encoder.
        container_options: of the file.
        tags: of the video stream.
        sound: the sound that it can hold; None if it holds none.
        coarsest: seconds of the file's own clock ticks; None if it takes those of any source.
        square: it holds square pixels alone.
        even: both sides have to be even.
        limit: the largest frame, as a sentence for the error that a larger one causes.
    """

    name: str
    container: str
    encoder: str
    pixels: str
    options: Mapping[str, str] = field(default_factory=dict)
    container_options: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    sound: SoundCodecs | None = None
    coarsest: Fraction | None = None
    square: bool = False
    even: bool = False
    limit: str = ""


H264 = Encoding(
    "H.264",
    "mp4",
    "libx264",
    "yuv420p",
    {"crf": "18", "preset": "veryfast", "x264-params": "colorprim=bt709:transfer=bt709:colormatrix=bt709"},
    {"movflags": "+faststart"},
    sound=MP4_SOUND,
    even=True,  # yuv420p stores one colour per 2x2 pixels
    limit="H.264 allows up to 16384 pixels per side.",
)
"""Plays in browsers."""
PRORES = Encoding(
    "ProRes 4444",
    "mov",
    "prores_ks",
    "yuva444p10le",
    {"profile": "4444", "alpha_bits": "16", "vendor": "apl0", **_COLOURS},
    sound=MOV_SOUND,
    limit="ProRes allows up to 65535 pixels per side.",
)
"""With alpha, for editors."""
VP9 = Encoding(
    "VP9",
    "webm",
    "libvpx-vp9",
    "yuva420p",
    {"crf": "24", "b": "0", "deadline": "good", "cpu-used": "5", "row-mt": "1", "auto-alt-ref": "0", **_COLOURS},
    tags={"alpha_mode": "1"},
    sound=WEBM_SOUND,
    coarsest=Fraction(1, 1000),
    square=True,  # WebM could hold others; PyAV cannot say so
    limit="VP9 allows up to 65535 pixels per side.",
)
"""With alpha, for browsers."""


class VideoEncoder:
    """A video file that grows frame by frame, each at its time.

    Frames without a time follow each other at the frame rate. The file gets its final name when it is closed; an
    aborted one leaves nothing behind.

    Args:
        path: the file.
        encoding: which kind of file.
        frame_rate: frames per second; None for 24.
        playback: how the source of the frames is played: its clock, pixel aspect and sound are kept.
        title: of the video, for those who look at its properties.

    Raises:
        OutputError: this build of PyAV lacks the encoder.
    """

    def __init__(
        self,
        path: str | Path,
        encoding: Encoding,
        frame_rate: Fraction | float | None = None,
        playback: Playback | None = None,
        title: str = "",
    ) -> None:
        import av

        if encoding.encoder not in av.codecs_available:
            raise OutputError(
                f"{path} cannot be written: this build of PyAV {av.__version__} has no {encoding.name} encoder "
                f"({encoding.encoder}), which the wheel on PyPI has.",
                "Install that wheel with pip install --force-reinstall --only-binary av av, or leave this format out.",
            )
        rate = Fraction(frame_rate).limit_denominator(1001) if frame_rate else _DEFAULT_RATE
        self.path, self._encoding, self._title = Path(path), encoding, title
        self._rate = rate if 0 < rate <= _LARGEST_RATE else _DEFAULT_RATE
        self._playback = playback or Playback()
        self._clock = Clock(1 / self._rate, _within(self._playback, encoding.coarsest))
        self._sound: SoundTrack | None = None
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._size = (0, 0)

    def write(self, image: UInt8Array, time: float | None) -> None:
        """Encode one frame.

        Args:
            image: uint8 RGB (H, W, 3), or RGBA (H, W, 4) with straight alpha.
            time: in seconds of the source's clock; None where it has none.

        Raises:
            ValueError: it has another size than the first frame.
            OutputError: the system refuses to write, or the encoder refuses the size.
        """
        import av

        if self._encoding.even:
            image = _padded_to_even(image)
        picture = av.VideoFrame.from_ndarray(image, format="rgba" if image.shape[2] == 4 else "rgb24")
        self.write_picture(_converted(picture, self._encoding.pixels), time)

    def write_picture(self, picture: VideoFrame, time: float | None) -> None:
        """Encode one frame that has the encoding's pixel format; see `write`."""
        with _encoding_errors(self.path, self._encoding):
            container, stream = self._opened((picture.height, picture.width))
            picture.pts, picture.time_base = self._clock.stamp(time), self._clock.tick
            if self._sound is not None:
                self._sound.write_until(picture.pts * picture.time_base)
            self._mux(container, stream, picture)

    def close(self) -> None:
        """Complete the file and give it its final name; without frames, no file is written."""
        if self._container is None or self._stream is None:
            return
        try:
            with _encoding_errors(self.path, self._encoding):
                self._mux(self._container, self._stream, None)
                if self._sound is not None:
                    self._sound.close(complete=True)
                self._container.close()
                temporary_path(self.path).replace(self.path)
        except BaseException:
            self.abort()
            raise
        self._container = self._stream = self._sound = None

    def abort(self) -> None:
        """Delete what was encoded so far."""
        if self._container is None:
            return
        container, self._container, self._stream = self._container, None, None
        sound, self._sound = self._sound, None
        try:
            if sound is not None:
                sound.close(complete=False)
            container.close()
        except Exception:  # a disk that refused a frame may refuse the trailer too
            pass
        finally:
            temporary_path(self.path).unlink(missing_ok=True)

    def _opened(self, size: tuple[int, int]) -> tuple[OutputContainer, VideoStream]:
        if self._container is None or self._stream is None:
            self._container, self._stream = self._open(size)
            self._size = size
            if self._playback.sound is not None and self._encoding.sound is not None:
                self._sound = SoundTrack(
                    self._playback.sound, self._playback.begins, self._container, self._encoding.sound
                )
        if size != self._size:
            raise ValueError(f"expected frames of {self._size}, got {size}")
        return self._container, self._stream

    def _open(self, size: tuple[int, int]) -> tuple[OutputContainer, VideoStream]:
        import av

        encoding = self._encoding
        self.path.parent.mkdir(parents=True, exist_ok=True)
        container = av.open(
            str(temporary_path(self.path).resolve()),
            "w",
            format=encoding.container,
            # Without the flag, Matroska files carry random numbers, and the same run never gives the same bytes.
            options={"fflags": "+bitexact", **encoding.container_options},
        )
        container.metadata["comment"] = SIGNATURE
        if self._title:
            container.metadata["title"] = self._title
        stream: Any = container.add_stream(encoding.encoder, rate=self._rate)
        stream.height, stream.width = size
        stream.pix_fmt = encoding.pixels
        stream.codec_context.time_base = self._clock.tick
        stream.metadata.update(encoding.tags)
        stream.options = dict(encoding.options)
        aspect = self._playback.pixel_aspect
        if aspect != 1 and not encoding.square:
            stream.options |= {"aspect": f"{aspect.numerator}/{aspect.denominator}"}
        return container, stream

    def _mux(self, container: OutputContainer, stream: VideoStream, picture: VideoFrame | None) -> None:
        for packet in stream.encode(picture):
            if not packet.duration:  # the last frame's would be 0
                packet.duration = max(1, round(1 / self._rate / self._clock.tick))
            container.mux(packet)


def _converted(picture: VideoFrame, pixels: str) -> VideoFrame:
    """Convert a picture to another pixel format, with the colours of BT.709."""
    try:
        # On several threads, FFmpeg 8 now and then loses rows of the alpha channel at the seams.
        return picture.reformat(format=pixels, dst_colorspace="ITU709", threads=1)
    except TypeError:  # an older PyAV, which converts on one
        return picture.reformat(format=pixels, dst_colorspace="ITU709")


def _within(playback: Playback, coarsest: Fraction | None) -> Playback:
    """Give a source's clock no finer ticks than a file holds, so that no two frames get the same time there."""
    base = playback.time_base
    return playback if coarsest is None or base is None or base >= coarsest else replace(playback, time_base=coarsest)


@contextmanager
def _encoding_errors(path: Path, encoding: Encoding) -> Iterator[None]:
    """Turn errors of the encoder and the file system into an OutputError."""
    import av

    with output_errors(path):
        try:
            yield
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise OutputError(
                f"{path} cannot be encoded: {error}. {encoding.limit}".rstrip(),
                "Leave this format out for a larger video, or resize the video first.",
            ) from error


def _padded_to_even(image: UInt8Array) -> UInt8Array:
    """Repeat the last row and column where needed."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
