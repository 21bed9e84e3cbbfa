"""Image files as a video: those of a folder in natural order, or a list of files in its own order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.media.frames import Frame, check_same_size
from cyclevos.media.sources import FrameSource
from cyclevos.naming import by_frame_name, list_images
from cyclevos.pictures.images import read_image


class ImageFiles(FrameSource):
    """Image files as the frames of a video, in the order given.

    Args:
        files: the frames, all in one folder.

    Raises:
        VideoError: the list is empty, two files have the same frame name, or the first cannot be decoded.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        if not files:
            raise VideoError("The list of image files is empty. Expected at least one.", "Give the frames' files.")
        self._open(files[0].parent, files)

    def _open(self, path: Path, files: Sequence[Path]) -> None:
        self.path = path
        self.name = path.stem if path.is_file() else path.resolve().name
        self._by_name = by_frame_name(files)
        self._files = list(self._by_name.values())
        self._names = tuple(self._by_name)
        self._size = self._read(0).size

    @property
    def files(self) -> Sequence[Path] | None:
        """The frames' files in order; None for a single image file, which `path` names."""
        return None if self.path.is_file() else tuple(self._files)

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
            frame = self._read(index)
            first_file, file = self._files[0].name, self._files[index].name
            check_same_size(first_file, self._size, file, frame.size, str(self.path))
            yield frame

    def _read(self, index: int) -> Frame:
        file = self._files[index]
        try:
            image = read_image(file)
        except Exception as error:  # Pillow's decoders raise almost any exception on broken data
            raise VideoError(
                f"Frame {index} cannot be decoded: {file} ({type(error).__name__}: {error}). Expected "
                "a whole 8- or 16-bit image (jpg, png, bmp, webp, tif).",
                "Replace the file or remove it; an animated file is a source of its own.",
            ) from error
        return Frame(index, self._names[index], image, None, file)


class ImageFolder(ImageFiles):
    """The images of a folder (or one single image file) in natural order.

    Args:
        path: the folder; hidden files and files that are not images are skipped.

    Raises:
        VideoError: the folder holds no image, two images have the same stem, something named like an image cannot be
            read, or the first image cannot be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        path = Path(path)
        self._open(path, [path] if path.is_file() else list_images(path))
