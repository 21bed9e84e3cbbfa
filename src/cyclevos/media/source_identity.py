"""What a video or a folder of frames holds, told without reading all of it; the same on every machine."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.naming import list_images

_END_BYTES = 2**20  # of a video's beginning and of its end


def source_identity(path: str | Path) -> str:
    """Tell a source's content in words, so that another one under its name is noticed.

    Of a video file its size and its first and last megabyte count; of a folder the names and sizes of its frames
    and all of the first and the last one. Times do not count: copying changes them.

    Args:
        path: the file or folder.

    Raises:
        VideoError: it cannot be read.
    """
    path = Path(path)
    try:
        files = list_images(path) if path.is_dir() else [path]
        sizes = [file.stat().st_size for file in files]
        digest = hashlib.sha256()
        if path.is_dir():
            for file, size in zip(files, sizes, strict=True):
                digest.update(f"{file.name} {size}\n".encode(errors="surrogateescape"))
            for file in (files[0], files[-1]):
                digest.update(file.read_bytes())
        else:
            digest.update(_both_ends(path, sizes[0]))
    except OSError as error:
        raise VideoError(
            f"{path} cannot be read ({error.strerror or error}). Check that it is still there and may be read."
        ) from error
    frames = f"{len(files)} frames, " if path.is_dir() else ""
    return f"{frames}{sum(sizes)} bytes, SHA-256 {digest.hexdigest()[:16]}"


def _both_ends(file: Path, size: int) -> bytes:
    with file.open("rb") as opened:
        beginning = opened.read(_END_BYTES)
        opened.seek(max(len(beginning), size - _END_BYTES))
        return beginning + opened.read(_END_BYTES)
