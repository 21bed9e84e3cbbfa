"""A folder of images as a video: its listing, its order and what each image becomes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image

from cyclevos.errors import VideoError
from cyclevos.video.frames import Frame, UInt8Array, check_same_size
from cyclevos.video.sources import FrameSource

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})

_ORIENTATION_TAG = 0x0112
# What undoes each EXIF orientation; 1 (upright) and unknown values need nothing.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


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


def read_image(path: Path) -> UInt8Array:
    """Read an image upright as uint8 RGB (H, W, 3).

    Transparency is laid over black, 16-bit grey keeps its upper byte, palettes are resolved, and the
    camera's orientation tag is applied.

    Raises:
        OSError, ValueError and what else Pillow raises on broken files.
    """
    with Image.open(path) as image:
        image.load()
        orientation = _orientation(image)
        rgb = _to_rgb(image)
    if orientation in _UPRIGHT:
        rgb = rgb.transpose(_UPRIGHT[orientation])
    array = np.array(rgb, dtype=np.uint8)  # (H, W, 3)
    if 0 in array.shape:
        raise ValueError(f"it has no pixels, its shape is {array.shape}")
    return array


def list_images(folder: Path) -> list[Path]:
    """Return the images of a folder in natural order.

    Raises:
        VideoError: there is none, or two have one stem.
    """
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    files = [entry for entry in entries if entry.suffix.lower() in IMAGE_SUFFIXES and entry.is_file()]
    if not files:
        found = ", ".join(sorted(entry.name for entry in entries)[:5]) or "nothing"
        raise VideoError(
            f"{folder} holds no image. Found: {found}. Expected files ending in "
            f"{' '.join(sorted(IMAGE_SUFFIXES))}: give the folder that holds the frames themselves, "
            "or a video file by its own name."
        )
    files.sort(key=lambda file: natural_key(file.stem))
    by_stem: dict[str, Path] = {}
    for file in files:
        other = by_stem.setdefault(file.stem, file)
        if other is not file:
            raise VideoError(
                f"two images of {folder} have one name: {other.name} and {file.name}. Each frame's results "
                "are named after its file without the ending: rename one, or move it elsewhere."
            )
    return files


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that orders the numbers in names by value.

    >>> sorted(["frame10", "frame2", "Frame1"], key=natural_key)
    ['Frame1', 'frame2', 'frame10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.casefold()) for part in parts], name


def _orientation(image: Image.Image) -> int:
    if image.format == "TIFF":
        return 1  # Pillow turns TIFF images upright itself while loading them
    try:
        return int(image.getexif().get(_ORIENTATION_TAG, 1))
    except Exception:  # a broken EXIF block is no reason to refuse the picture
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ValueError("it holds floating-point pixels, whose range is unknown")
    if image.mode.startswith("I"):  # 16-bit grey, in Pillow's 16- or 32-bit modes
        values = np.asarray(image).astype(np.int64)
        return Image.fromarray((np.clip(values, 0, 65535) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        straight = image.convert("RGBA")
        black = Image.new("RGBA", straight.size, (0, 0, 0, 255))
        return Image.alpha_composite(black, straight).convert("RGB")
    return image.convert("RGB")
