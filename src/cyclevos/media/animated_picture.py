"""One picture file that holds many frames: animated WebP, PNG and GIF, and TIFF of several pages."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing
from fractions import Fraction
from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.media.frames import Frame, check_same_size, other_size
from cyclevos.media.playback import Playback
from cyclevos.media.sources import FrameSource
from cyclevos.naming import index_name
from cyclevos.pictures.bounds import PictureTooLargeError, check_pixels, open_picture
from cyclevos.pictures.images import upright_pixels
from cyclevos.pictures.paging import frame_positions, shown_milliseconds

# Frames that backward streaming may hold at once; for each chunk, these formats are decoded from their beginning.
_CHUNK_BYTES = 192 * 2**20
_CHUNK_FRAMES = 512


def is_animated(path: Path) -> bool:
    """Return whether a file is a picture of several frames, judged by its content; False if it is no picture.

    Raises:
        VideoError: its header declares more pixels than are decoded.
    """
    try:
        with open_picture(path) as image:
            return len(frame_positions(image)) > 1
    except PictureTooLargeError as error:
        raise _too_large(path, error) from error
    except Exception:  # of a file that is no picture, Pillow may raise anything; whoever reads it says why
        return False


class AnimatedPicture(FrameSource):
    """An animated picture or a TIFF of several pages; no frame is duplicated or dropped.

    Frames are named by their index, as those of a video. A TIFF has no times.

    Args:
        path: the file; its first frame is decoded here.
        pass_over: pass over frames that cannot be decoded; their reasons are in `bad`.

    Raises:
        VideoError: it is not a picture, its first frame cannot be decoded, or it declares too many pixels.
    """

    def __init__(self, path: str | Path, *, pass_over: bool = False) -> None:
        self.path = Path(path)
        self.name = self.path.stem
        try:
            with open_picture(self.path) as image:
                self._positions = frame_positions(image)
                self._sequential = image.format != "TIFF"
                image.load()
                duration = shown_milliseconds(image)
        except PictureTooLargeError as error:
            raise _too_large(self.path, error) from error
        except Exception as error:  # Pillow's decoders raise almost any exception on broken data
            raise self._broken(0, error) from error
        self._rate = None if duration is None else 1000 / Fraction(duration).limit_denominator(1000)
        with closing(self._frames(0, 1)) as frames:
            self._size = next(frames).size
        self.bad = {} if pass_over else None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first frame, upright."""
        return self._size

    @property
    def len_hint(self) -> int:
        """Number of frames."""
        return len(self._positions)

    @property
    def frame_rate(self) -> Fraction | None:
        """Frames per second while the first frame is shown; None for a TIFF."""
        return self._rate

    @property
    def playback(self) -> Playback:
        """Its times are whole milliseconds."""
        return Playback(self._rate, None if self._rate is None else Fraction(1, 1000))

    def iterate(self, *, reverse: bool = False, start: int | None = None) -> Iterator[Frame]:
        """Stream the frames; see FrameSource.iterate."""
        if not reverse:
            yield from self._good(start or 0, self.len_hint)
            return
        height, width = self._size
        held = max(4, min(_CHUNK_FRAMES, _CHUNK_BYTES // (height * width * 3)))
        end = self.len_hint if start is None else min(start + 1, self.len_hint)
        while end > 0:
            begin = max(0, end - held)
            chunk = list(self._good(begin, end))
            while chunk:
                yield chunk.pop()
            end = begin

    def _good(self, start: int, stop: int) -> Iterator[Frame]:
        """Decode frames; those that cannot be used are noted where they are to be passed over."""
        following = start
        while following < stop:
            try:
                for frame in self._frames(following, stop):
                    following = frame.index + 1
                    if self._is_of_size(frame):
                        yield frame
                return
            except VideoError:
                if self.bad is None:
                    raise
                if not self._sequential:  # each page of a TIFF stands for itself
                    self.bad[following] = "its page cannot be decoded"
                    following += 1
                    continue
                self.bad |= dict.fromkeys(range(following, self.len_hint), f"the file breaks off at frame {following}")
                return

    def _frames(self, start: int, stop: int) -> Generator[Frame, None, None]:
        """Decode the frames `start..stop-1`; those before them too where a frame is stored as a change of the last."""
        first = index = 0 if self._sequential else start
        time = 0.0  # milliseconds
        try:
            with open_picture(self.path) as image:
                for index in range(first, stop):
                    image.seek(self._positions[index])
                    check_pixels(*image.size)
                    # A frame that is not asked for is decoded too: some formats tell only then how long it is shown.
                    pixels = upright_pixels(image)
                    duration = shown_milliseconds(image)
                    if index >= start:
                        yield Frame(index, index_name(index), pixels, None if duration is None else time / 1000)
                    time += duration or 0.0
        except Exception as error:  # Pillow's decoders raise almost any exception on broken data
            raise self._broken(index, error) from error

    def _is_of_size(self, frame: Frame) -> bool:
        if self.bad is None:
            check_same_size(index_name(0), self._size, frame.name, frame.size, str(self.path))
        elif (why := other_size(frame.size, self._size)) is not None:
            self.bad[frame.index] = why
        return frame.size == self._size

    def _broken(self, index: int, error: Exception) -> VideoError:
        return VideoError(
            f"{self.path} breaks off at frame {index} ({type(error).__name__}: {error}). Expected a whole animated "
            "WebP, PNG or GIF, or a TIFF of several pages.",
            "Copy or export the whole file again.",
        )


def _too_large(path: Path, error: PictureTooLargeError) -> VideoError:
    return VideoError(f"{path} cannot be decoded: {error}.", "Make it smaller first.")
