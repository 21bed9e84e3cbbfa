"""Opening a picture file without letting its header claim all memory: pixels are counted before any is decoded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

MAX_PIXELS = 2**30 // 4 // 3
"""Pixels of the largest picture that is decoded, 89.5 million; a 12K frame (12288x6480) has 79.6 million."""

_HEADER_BYTES = 30  # as many as the headers below need


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


def declared_size(path: Path) -> tuple[int, int] | None:
    """Return the (width, height) in the header of a GIF, PNG, BMP or WebP; None for every other file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if len(head) < _HEADER_BYTES:
        return None
    if head[:6] in (b"GIF87a", b"GIF89a"):
        return _number(head[6:8]), _number(head[8:10])
    if head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR":
        return int.from_bytes(head[16:20], "big"), int.from_bytes(head[20:24], "big")
    if head[:2] == b"BM" and _number(head[14:18]) >= 40:
        height = int.from_bytes(head[22:26], "little", signed=True)  # negative: stored from the top
        return _number(head[18:22]), abs(height)
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return _webp_size(head)
    return None


def _webp_size(head: bytes) -> tuple[int, int] | None:
    kind = head[12:16]
    if kind == b"VP8X":  # with animation or transparency: each side minus 1, 24 bits
        return _number(head[24:27]) + 1, _number(head[27:30]) + 1
    if kind == b"VP8L":  # lossless: each side minus 1, 14 bits
        bits = _number(head[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":  # lossy: each side, 14 bits
        return _number(head[26:28]) & 0x3FFF, _number(head[28:30]) & 0x3FFF
    return None


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")
