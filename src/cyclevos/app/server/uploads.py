"""Videos uploaded by a page: limited in size, and only video containers."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

from cyclevos.app.errors import AppError, TooLargeError
from cyclevos.files.atomic import output_errors
from cyclevos.naming import WHOLE_VIDEO_SUFFIXES

_HEAD = 512

# First bytes of each kind; a playlist, which names other files, matches none of them.
_MAGIC = (
    re.compile(rb"....(ftyp|moov|mdat|free|wide|skip)", re.DOTALL),
    re.compile(rb"\x1a\x45\xdf\xa3"),
    re.compile(rb"RIFF....AVI ", re.DOTALL),
    re.compile(rb"GIF8[79]a"),
    re.compile(rb"\x00\x00\x01[\xba\xb3]"),
    re.compile(rb"\x47.{187}\x47", re.DOTALL),
    re.compile(rb".{4}\x47.{191}\x47", re.DOTALL),
    re.compile(rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
    re.compile(rb"FLV\x01"),
    re.compile(rb"\x06\x0e\x2b\x34"),  # MXF
    re.compile(rb"RIFF....WEBP", re.DOTALL),
    re.compile(rb"\x89PNG\r\n\x1a\n"),
    re.compile(rb"II[*+]\x00|MM\x00[*+]"),  # TIFF, and its form for large files
)


class UnsupportedError(AppError):
    """The upload is not a video of an accepted kind."""

    status = 415


async def receive_video(name: str, body: AsyncIterator[bytes], folder: Path, most: int) -> Path:
    """Write an upload to a new file.

    Args:
        name: the sender's file name; only its ending is used.
        body: the bytes.
        folder: to write to; the caller removes it if the video is refused.
        most: largest size allowed, in bytes.

    Returns:
        The file.

    Raises:
        UnsupportedError: its ending or its first bytes are not those of a video.
        TooLargeError: it is larger than allowed.
        OutputError: the file cannot be written.
    """
    suffix = Path(name.replace("\0", "")).suffix.lower()
    if suffix not in WHOLE_VIDEO_SUFFIXES:
        raise UnsupportedError(
            f"{name!r} does not have the ending of a video.", f"Send one of {', '.join(sorted(WHOLE_VIDEO_SUFFIXES))}."
        )
    path = folder / f"video{suffix}"
    size, head = 0, b""
    with output_errors(path), path.open("wb") as file:
        async for chunk in body:
            size += len(chunk)
            if size > most:
                raise TooLargeError(
                    f"The video is larger than {most // 2**20} MB.",
                    "Put it into one of the app's folders and open it from there, or start the app with a larger "
                    "--max-upload.",
                )
            head = (head + chunk)[:_HEAD] if len(head) < _HEAD else head
            file.write(chunk)
    if not any(magic.match(head) for magic in _MAGIC):
        raise UnsupportedError(
            f"{name!r} does not begin like a video.", "Send the video file itself, not a playlist or an archive."
        )
    return path
