"""What a source of frames offers, and which kind of source a path is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.video.frames import Frame


class FrameSource(ABC):
    """A video that can be streamed as often as one likes, forwards and backwards.

    Nothing but the frame in hand (and, backwards, one bounded chunk) is kept in memory.

    Attributes:
        path: the file or folder.
        name: its stem, for naming results.
    """

    path: Path
    name: str

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels as displayed, that is after rotation."""

    @property
    @abstractmethod
    def frame_names(self) -> Sequence[str] | None:
        """Names of all frames in order; None for a video, whose frames are named by their index."""

    @property
    @abstractmethod
    def len_hint(self) -> int | None:
        """Number of frames, as far as it is known without decoding everything."""

    @property
    @abstractmethod
    def frame_rate(self) -> Fraction | None:
        """Frames per second (the average where it varies); None for images."""

    @abstractmethod
    def iterate(self, *, reverse: bool = False, start: int | None = None) -> Iterator[Frame]:
        """Open the source anew and stream its frames.

        Args:
            reverse: stream from `start` down to frame 0.
            start: index of the first frame to yield; default the first, or the last when reversed.

        Raises:
            VideoError: a frame cannot be decoded or has another size; earlier frames were yielded.
        """

    def __iter__(self) -> Iterator[Frame]:
        return self.iterate()

    def __reversed__(self) -> Iterator[Frame]:
        return self.iterate(reverse=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"


def open_source(path: str | Path) -> FrameSource:
    """Open a video file, a folder of images or a single image.

    The first frame is decoded at once, so that what is no video fails here.

    Args:
        path: a file that FFmpeg can read, or a folder of jpg, png, bmp, webp or tif images, which are
            taken in natural order (frame2 before frame10).

    Raises:
        VideoError: there is nothing there, or nothing that can be shown.
    """
    from cyclevos.video.image_folder import IMAGE_SUFFIXES, ImageFolder
    from cyclevos.video.video_file import VideoFile

    path = Path(path)
    if not path.exists():
        raise VideoError(
            f"{path} does not exist. Expected a video file or a folder of images; check the spelling"
            + (f" (the folder {path.parent} exists)." if path.parent.is_dir() else f" of {path.parent}.")
        )
    if path.is_dir() or path.suffix.lower() in IMAGE_SUFFIXES:
        return ImageFolder(path)
    return VideoFile(path)
