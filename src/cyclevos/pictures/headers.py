"""What the first bytes of a picture say of its size, without Pillow."""

from __future__ import annotations

from pathlib import Path

HEADER_BYTES = 30
"""Bytes at the beginning of a picture that tell its size."""


def declared_size(path: Path) -> tuple[int, int] | None:
    """Return the (width, height) in the header of a GIF, PNG, BMP or WebP; None for every other file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        return declared_in(file.read(HEADER_BYTES))


def declared_in(head: bytes) -> tuple[int, int] | None:
    """Return the (width, height) in the first `HEADER_BYTES` of a GIF, PNG, BMP or WebP; None for every other file."""
    if len(head) < HEADER_BYTES:
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
