"""The interface of a source of frames: names, size and streams in both directions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from cyclevos.errors import VideoError
from cyclevos.media.frames import Frame
from cyclevos.media.playback import Playback
from cyclevos.media.source_identity import source_identity
from cyclevos.naming import index_name
from cyclevos.words import counted

DEINTERLACED = "deinterlaced"
"""The treatment of an interlaced video whose frames are made from one of two fields each."""


class SeekTable(NamedTuple):
    """Where the frames of a video file lie.

    Attributes:
        stamps: time stamp of every frame, ascending.
        keyframes: indices of the frames that decoding can start at.
    """

    stamps: Sequence[int]
    keyframes: Sequence[int]


class FrameSource(ABC):
    """A video that can be streamed any number of times, forwards and backwards.

    Memory holds only the current frame, or one bounded chunk when streaming backwards.

    Attributes:
        path: the file or folder; of a stream, which has neither, a path of its name for messages.
        name: its stem, for naming results.
        bad: of a source that passes over frames that cannot be read: why, by index, as far as is known, in words that
            follow "cannot be read: ". None = such a frame ends the source with an error.
        cut_short: how such a source breaks off, in words; None if it does not, or it is not known.
    """

    path: Path
    name: str
    bad: dict[int, str] | None = None
    cut_short: str | None = None

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """(height, width) in pixels as displayed, that is, after rotation."""

    @property
    def frame_names(self) -> Sequence[str] | None:
        """Names of all frames in order; None where frames are named by their index, as in a video."""
        return None

    def name_of(self, index: int) -> str:
        """Return the name of a frame."""
        return index_name(index) if self.frame_names is None else self.frame_names[index]

    @property
    @abstractmethod
    def len_hint(self) -> int | None:
        """Number of frames; None if it is unknown until everything has been decoded."""

    @property
    @abstractmethod
    def frame_rate(self) -> Fraction | None:
        """Frames per second (the average where it varies); None for images."""

    @property
    def files(self) -> Sequence[Path] | None:
        """The image files of the frames in order; None if `path` is one file that holds all frames."""
        return None

    @property
    def location(self) -> str:
        """Where the source is, in full: a path, or an address without its password."""
        return str(self.path.resolve())

    @property
    def identity(self) -> str:
        """The content in a few words, so that another one at the same place is noticed.

        Raises:
            VideoError: it cannot be read.
        """
        return source_identity(self.path, self.files)

    @property
    def content(self) -> str:
        """What the frames show: the source's identity, and what is done to the frames beside decoding them.

        Raises:
            VideoError: it cannot be read.
        """
        return ", ".join(filter(None, (self.identity, self.treatment)))

    @property
    def can_be_read_again(self) -> bool:
        """Whether frames can be read again, and in any order; False for a camera and other live streams."""
        return True

    def camera_turn(self, index: int) -> Image.Transpose | None:
        """Return how a frame was turned from the pixels that the camera stored to upright; None if it was not.

        Args:
            index: of the frame.
        """
        return None

    def time_of(self, index: int) -> float | None:
        """Return the time in seconds of a frame that was passed over; None if it is not known.

        Args:
            index: of the frame.
        """
        return None

    def why_unreadable(self, index: int) -> str | None:
        """Return why a frame cannot be read, in words after "cannot be read: "; None if it can, as far as is known."""
        return None if self.bad is None else self.bad.get(index)

    @property
    def seek_table(self) -> SeekTable | None:
        """Where every frame lies, for a later :meth:`use_seek_table`; None if it is not known, or not needed."""
        return None

    def use_seek_table(self, table: SeekTable) -> None:  # noqa: B027 - most sources find any frame without one
        """Seek by a table of the same file from the first frame on, instead of decoding all frames before it."""

    @property
    def playback(self) -> Playback:
        """How the source is played."""
        return Playback(self.frame_rate)

    @property
    def treatment(self) -> str:
        """What is done to the frames beside decoding them, in a word; empty for nothing."""
        return ""

    @abstractmethod
    def iterate(self, *, reverse: bool = False, start: int | None = None) -> Iterator[Frame]:
        """Open the source again and stream its frames.

        Args:
            reverse: stream from `start` down to frame 0.
            start: index of the first frame to yield; default the first, or the last when reversed.

        Raises:
            VideoError: a frame cannot be decoded or has another size, and the source does not pass over it; the frames
                before it have been yielded.
        """

    def unconverted(self, start: int) -> Iterator[Frame]:
        """Stream frames from one on; those that nobody asks for the image of cost less where they are of a video.

        Args:
            start: index of the first frame.

        Raises:
            VideoError: see :meth:`iterate`.
        """
        return self.iterate(start=start)

    def frame(self, index: int) -> Frame:
        """Read one frame.

        Args:
            index: from 0.

        Raises:
            VideoError: the source ends before it, or it cannot be decoded.
        """
        count = self.len_hint
        found = next(self.iterate(start=index), None) if count is None or index < count else None
        why = self.why_unreadable(index)
        if why is not None:
            raise VideoError(f"Frame {index} cannot be read: {why}.", "Choose another frame.")
        if found is None:
            has = "ends before it" if count is None else f"has {counted(count, 'frame')}, counted from 0"
            raise VideoError(f"There is no frame {index}: the video {has}.", "Choose a frame of the video.")
        return found

    def __iter__(self) -> Iterator[Frame]:
        return self.iterate()

    def __reversed__(self) -> Iterator[Frame]:
        return self.iterate(reverse=True)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.path)!r})"
