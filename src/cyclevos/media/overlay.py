"""The masks drawn over the video: blending, and an H.264 file that plays in browsers."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, temporary_path
from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.playback import Clock, Playback
from cyclevos.media.sound import SoundTrack
from cyclevos.media.writers import ResultWriter
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.palette import palette_colours

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_DEFAULT_RATE = Fraction(24)
_LARGEST_RATE = 240  # frames per second; a source that claims more has a broken clock
# Written into the file, so that players need not guess the colour space.
_COLOURS = "colorprim=bt709:transfer=bt709:colormatrix=bt709"


def blend(image: UInt8Array, ids: UInt8Array, palette: bytes | None = None, alpha: float = 0.5) -> UInt8Array:
    """Blend the objects' colours into an image and draw a contour one pixel wide along their inner edge.

    Args:
        image: uint8 RGB (H, W, 3); not changed.
        ids: object ids, uint8 (H, W); background (0) is not coloured.
        palette: 768 bytes of RGB; None for the DAVIS palette.
        alpha: weight of the colour, 0..1; the contour is always opaque.

    Returns:
        uint8 RGB (H, W, 3).

    Raises:
        ValueError: alpha is out of range.

    >>> blend(np.full((1, 1, 3), 100, np.uint8), np.array([[1]], np.uint8), alpha=0.25)[0, 0].tolist()
    [107, 75, 75]
    """
    if not 0 <= alpha <= 1:
        raise ValueError(f"expected alpha in 0..1, got {alpha}")
    result: UInt8Array = image.copy()
    covered = ids > 0
    colours = palette_colours(palette)[ids[covered]]  # (pixels, 3)
    result[covered] = (image[covered] * (1 - alpha) + colours * alpha).astype(np.uint8)
    edge = inner_contour(ids)
    result[edge] = palette_colours(palette)[ids[edge]]
    return result


class OverlayWriter(ResultWriter):
    """An MP4 of the blended frames, in the order in which they arrive, each at its time.

    Frames without a time follow each other at the frame rate. The file gets its final name when it is closed; an
    aborted one leaves nothing behind.

    Args:
        path: the MP4.
        frame_rate: frames per second; None for 24.
        appearance: its palette colours the objects.
        alpha: see :func:`blend`.
        playback: how the source of the frames is played: its clock, pixel aspect and sound are kept.

    Raises:
        OutputError: this build of PyAV has no H.264 encoder.
    """

    def __init__(
        self,
        path: str | Path,
        frame_rate: Fraction | float | None = None,
        appearance: Appearance = PLAIN,
        alpha: float = 0.5,
        playback: Playback | None = None,
    ) -> None:
        import av

        if "libx264" not in av.codecs_available:
            raise OutputError(
                f"{path} cannot be written: this build of PyAV {av.__version__} has no H.264 encoder (libx264), "
                "which the wheel on PyPI has.",
                "Install that wheel with pip install --force-reinstall --only-binary av av, or leave the overlay out.",
            )
        rate = Fraction(frame_rate).limit_denominator(1001) if frame_rate else _DEFAULT_RATE
        self.path = Path(path)
        self._rate = rate if 0 < rate <= _LARGEST_RATE else _DEFAULT_RATE
        self._palette, self._alpha = appearance.palette, alpha
        self._playback = playback or Playback()
        self._sound: SoundTrack | None = None
        self._clock = Clock(1 / self._rate, self._playback)
        self._container: OutputContainer | None = None
        self._stream: VideoStream | None = None
        self._size = (0, 0)

    def write(self, result: FrameResult) -> None:
        """Encode one frame.

        Raises:
            ValueError: the ids or the frame have another size than the first frame.
            OutputError: the system refuses to write, or the encoder refuses the size.
        """
        import av

        result.check_ids()
        with _encoding_errors(self.path):
            container, stream = self._opened(result.frame.size)
            image = _padded_to_even(blend(result.frame.image, result.ids, self._palette, self._alpha))
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709")
            picture.pts, picture.time_base = self._clock.stamp(result.frame.time), self._clock.tick
            if self._sound is not None:
                self._sound.write_until(picture.pts * picture.time_base)
            self._mux(container, stream, picture)

    def close(self) -> None:
        """Complete the file and give it its final name; without frames, no file is written."""
        if self._container is None or self._stream is None:
            return
        try:
            with _encoding_errors(self.path):
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
        import av

        if self._container is None or self._stream is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(
                str(temporary_path(self.path).resolve()),
                "w",
                format="mp4",
                options={"movflags": "+faststart"},
            )
            stream = self._container.add_stream("libx264", rate=self._rate)
            stream.height, stream.width = (side + side % 2 for side in size)
            stream.pix_fmt = "yuv420p"
            stream.codec_context.time_base = self._clock.tick
            stream.options = {"crf": "18", "preset": "veryfast", "x264-params": _COLOURS}
            aspect = self._playback.pixel_aspect
            if aspect != 1:
                stream.options |= {"aspect": f"{aspect.numerator}/{aspect.denominator}"}
            self._stream, self._size = stream, size
            if self._playback.sound is not None:
                self._sound = SoundTrack(self._playback.sound, self._playback.begins, self._container)
        if size != self._size:
            raise ValueError(f"expected frames of {self._size}, got {size}")
        return self._container, self._stream

    def _mux(self, container: OutputContainer, stream: VideoStream, picture: VideoFrame | None) -> None:
        for packet in stream.encode(picture):
            if not packet.duration:  # the last frame's would be 0
                packet.duration = max(1, round(1 / self._rate / self._clock.tick))
            container.mux(packet)


@contextmanager
def _encoding_errors(path: Path) -> Iterator[None]:
    """Turn errors of the encoder and the file system into an OutputError."""
    import av

    with output_errors(path):
        try:
            yield
        except av.error.FFmpegError as error:
            if isinstance(error, OSError):
                raise
            raise OutputError(
                f"{path} cannot be encoded: {error}. H.264 allows up to 16384 pixels per side.",
                "Leave the overlay out for a larger video, or resize the video first.",
            ) from error


def inner_contour(ids: UInt8Array) -> npt.NDArray[np.bool_]:
    """Mark the object pixels whose neighbour above, below, left or right has another id, bool (H, W)."""
    edge = np.zeros(ids.shape, np.bool_)
    below = ids[1:] != ids[:-1]
    differs = ids[:, 1:] != ids[:, :-1]
    edge[1:] |= below
    edge[:-1] |= below
    edge[:, 1:] |= differs
    edge[:, :-1] |= differs
    return edge & (ids > 0)


def _padded_to_even(image: UInt8Array) -> UInt8Array:
    """Repeat the last row and column where needed: yuv420p stores one colour per 2x2 pixels."""
    height, width = image.shape[:2]
    return np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
