"""Image files as a video: those of a folder in natural order, or files in an order of their own."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from cyclevos.errors import CycleVOSError, VideoError
from cyclevos.media.frames import Frame, check_same_size
from cyclevos.media.sources import FrameSource
from cyclevos.naming import by_frame_name, index_name, list_images, size_text
from cyclevos.pictures.images import camera_turn, read_image
from cyclevos.words import counted

logger = logging.getLogger(__name__)


class ImageFiles(FrameSource):
    """Image files as the frames of a video, in the order given.

    Frames are named after their files. If files in several folders have the same name, frames are named by their
    index, with a warning.

    Args:
        files: the frames.
        place: what the user gave instead of the files, a pattern or a list; None = the folder that holds them all.
        pass_over: pass over files that cannot be read; their reasons are in `bad`.

    Raises:
        VideoError: there are no files, two files of one folder have the same frame name, or the first cannot be
            decoded; if files are passed over, none can.
    """

    def __init__(self, files: Sequence[Path], place: Path | None = None, *, pass_over: bool = False) -> None:
        if not files:
            raise VideoError("The list of image files is empty. Expected at least one.", "Give the frames' files.")
        folders = list(dict.fromkeys(file.parent for file in files))
        # Of absolute paths, since only they have a folder in common; on other drives of Windows not even they do.
        above = folders[0] if len(folders) == 1 else _common_folder(folders)
        self._open(above, files, place, pass_over=pass_over)

    def _open(self, path: Path, files: Sequence[Path], place: Path | None = None, *, pass_over: bool) -> None:
        self.path = path
        self._place = place
        self.name = place.stem if place is not None else path.stem if path.is_file() else path.resolve().name
        self._files = list(files)
        self._names = _frame_names(files, place or path)
        self.bad = {} if pass_over else None
        self._first, self._size = self._first_size()

    @property
    def files(self) -> Sequence[Path] | None:
        """The frames' files in order; None for a single image file, which `path` names."""
        return None if self.path.is_file() else tuple(self._files)

    @property
    def location(self) -> str:
        """The pattern, list, file or folder that the files are from."""
        return str((self._place or self.path).resolve())

    def camera_turn(self, index: int) -> Image.Transpose | None:
        """Return how an image's EXIF orientation turns it."""
        if index >= len(self._files):
            return None
        try:
            return camera_turn(self._files[index])
        except Exception:  # of a broken file Pillow may raise anything; it is reported when the frame is read
            return None

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of the first image, upright."""
        return self._size

    @property
    def frame_names(self) -> Sequence[str]:
        """The files' stems in order."""
        return self._names

    @property
    def len_hint(self) -> int:
        """Number of images."""
        return len(self._files)

    @property
    def frame_rate(self) -> Fraction | None:
        """None: images have no time stamps."""
        return None

    def iterate(self, *, reverse: bool = False, start: int | None = None) -> Iterator[Frame]:
        """Stream the images; see FrameSource.iterate."""
        last = len(self._files) - 1
        indices = range(last if start is None else min(start, last), -1, -1) if reverse else range(start or 0, last + 1)
        for index in indices:
            frame = self._tried(index)
            if frame is not None:
                yield frame

    def _first_size(self) -> tuple[int, tuple[int, int]]:
        """Return the index and the size of the first image that can be read."""
        for index in range(len(self._files)):
            if self.bad is None:
                return index, self._read(index).size
            try:
                return index, self._read(index).size
            except VideoError as error:
                self.bad[index] = _fault(self._files[index], error)
        raise VideoError(
            f"None of the {counted(len(self._files), 'image')} of {self._place or self.path} can be read: "
            f"{(self.bad or {})[0]}.",
            "Copy or export them again.",
        )

    def _tried(self, index: int) -> Frame | None:
        """Read an image of the right size; None for one that is passed over."""
        file, first = self._files[index], self._files[self._first]
        try:
            frame = self._read(index)
        except VideoError as error:
            if self.bad is None:
                raise
            self.bad[index] = _fault(file, error)
            return None
        if self.bad is None:
            check_same_size(first.name, self._size, file.name, frame.size, str(self.path))
        elif frame.size != self._size:
            self.bad[index] = f"{file.name} is {size_text(frame.size)}, but {first.name} is {size_text(self._size)}"
            return None
        else:
            self.bad.pop(index, None)  # the file has been replaced since
        return frame

    def _read(self, index: int) -> Frame:
        file = self._files[index]
        try:
            image = read_image(file)
        except CycleVOSError:
            raise
        except Exception as error:  # Pillow's decoders raise almost any exception on broken data
            raise VideoError(
                f"Frame {index} cannot be decoded: {file} ({type(error).__name__}: {error}). Expected "
                "a whole 8- or 16-bit image (jpg, png, bmp, webp, tif) or OpenEXR.",
                "Replace the file or remove it; an animated file is a source of its own.",
            ) from error
        return Frame(index, self._names[index], image, None, file)


class ImageFolder(ImageFiles):
    """The images of a folder (or one single image file) in natural order.

    Args:
        path: the folder; hidden files and files that are not images are skipped.
        pass_over: see ImageFiles.

    Raises:
        VideoError: the folder holds no image, two images have the same stem, something named like an image cannot be
            read, or the first image cannot be decoded.
    """

    def __init__(self, path: str | Path, *, pass_over: bool = False) -> None:
        path = Path(path)
        self._open(path, [path] if path.is_file() else list_images(path), pass_over=pass_over)


def _fault(file: Path, error: VideoError) -> str:
    """Return why a file cannot be a frame, in words that follow "cannot be read: "."""
    try:
        if not file.stat().st_size:
            return f"{file.name} is empty"
    except OSError as missing:
        return f"{file.name} cannot be opened ({missing.strerror or missing})"
    cause = error.__cause__
    if isinstance(cause, UnidentifiedImageError):
        return f"{file.name} is not a picture"
    if isinstance(cause, OSError) and "truncated" in str(cause):
        return f"{file.name} is cut off"
    return f"{file.name} cannot be decoded" + (f" ({cause})" if cause is not None and str(cause) else "")


def _common_folder(folders: Sequence[Path]) -> Path:
    try:
        return Path(os.path.commonpath([folder.resolve() for folder in folders]))
    except ValueError:  # on Windows, of files on several drives
        return folders[0]


def _frame_names(files: Sequence[Path], place: Path) -> tuple[str, ...]:
    """Return the files' stems, or indices if files of several folders share one."""
    stems = [file.stem for file in files]
    if len(set(stems)) == len(stems):
        return tuple(stems)
    if len({file.parent for file in files}) == 1:
        return tuple(by_frame_name(files))
    logger.warning(
        "several files of %s have the same name, so its frames are named by their position: %s to %s",
        place,
        index_name(0),
        index_name(len(files) - 1),
    )
    return tuple(index_name(index) for index in range(len(files)))
