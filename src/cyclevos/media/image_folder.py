"""A folder of images as a video: its listing, its order and what each image becomes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.media.frames import Frame, check_same_size
from cyclevos.media.sources import FrameSource
from cyclevos.naming import list_images
from cyclevos.pictures.images import read_image


class ImageFolder(FrameSource):
    """The images of a folder (or one single image file) in natural order.

    Args:
        path: the folder; hidden files and files that are no images are passed over.

    Raises:
        VideoError: no image, two images with one stem, or a first image that cannot be decoded.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.name = self.path.stem if self.path.is_file() else self.path.resolve().name
        self._files = [self.path] if self.path.is_file() else list_images(self.path)
        self._names = tuple(file.stem for file in self._files)
        self._size = self._read(0).size

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
        """None: images carry no clock."""
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
        except Exception as error:  # Pillow's decoders raise nearly everything on broken data
            raise VideoError(
                f"frame {index} cannot be decoded: {file} ({type(error).__name__}: {error}). Expected "
                "a whole 8- or 16-bit image (jpg, png, bmp, webp, tif): replace the file, or take it out."
            ) from error
        return Frame(index, self._names[index], image, None, file)
