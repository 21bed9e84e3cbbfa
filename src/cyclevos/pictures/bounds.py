"""Opening a picture file without letting its header claim all memory: pixels are counted before any is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from cyclevos.pictures.headers import declared_size

MAX_PIXELS = 2**30 // 4 // 3
"""Pixels of the largest picture that is decoded, 89.5 million; a 12K frame (12288x6480) has 79.6 million."""


class PictureTooLargeError(ValueError):
    """A picture's header declares more pixels than are decoded."""


@contextmanager
def open_picture(path: Path) -> Iterator[Image.Image]:
    """Open a picture whose size is within bounds; its pixels are not decoded yet.

    Raises:
        PictureTooLargeError: it declares more than MAX_PIXELS pixels.
        OSError, ValueError: the file is missing or broken; on broken files Pillow may raise others too.
    """
    # Pillow allocates the canvas of a WebP, and complains about others in its own way, when it opens them.
    declared = declared_size(path)
    if declared is not None:
        check_pixels(*declared)
    try:
        opened = Image.open(path)
    except Image.DecompressionBombError as error:
        raise PictureTooLargeError(f"{error}; expected at most {MAX_PIXELS:,} pixels") from error
    with opened as image:
        check_pixels(*image.size)
        yield image


def picture_size(path: Path) -> tuple[int, int] | None:
    """Return the (width, height) in a picture's header, whatever its format; None for what is no picture."""
    try:
        size = declared_size(path)
        if size is None:
            with Image.open(path) as image:
                size = image.size
    except Exception:  # of a file that is no picture, Pillow may raise anything; whoever reads it says why
        return None
    return size


def check_pixels(width: int, height: int) -> None:
    """Refuse a picture that is too large to be decoded.

    Raises:
        PictureTooLargeError: it has more than MAX_PIXELS pixels.

    >>> check_pixels(7680, 4320)
    """
    if width * height > MAX_PIXELS:
        raise PictureTooLargeError(
            f"it declares {width}x{height} pixels, {width * height:,} in all; expected at most {MAX_PIXELS:,}"
        )
