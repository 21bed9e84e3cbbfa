"""A short text that identifies the content of a video or of image files, the same on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.naming import list_images

_END_BYTES = 2**20  # read from the beginning and from the end of a video


def source_identity(path: str | Path, files: Sequence[Path] | None = None) -> str:
    """Identify a source's content, so that another source under the same name is noticed.

    A video file is identified by its size and its first and last megabyte; image files by the names and sizes of
    all and the bytes of the first and the last. Times are left out, because copying changes them.

    Args:
        path: the file, or the folder of the images.
        files: the frames' image files, in order; None takes all images of a folder.

    Raises:
        VideoError: it cannot be read.
    """
    path = Path(path)
    many = files is not None or path.is_dir()
    try:
        if files is None:
            files = list_images(path) if many else [path]
        sizes = [file.stat().st_size for file in files]
        digest = hashlib.sha256()
        if many:
            for file, size in zip(files, sizes, strict=True):
                digest.update(f"{file.name} {size}\n".encode(errors="surrogateescape"))
            for file in (files[0], files[-1]):
                digest.update(file.read_bytes())
        else:
            digest.update(_both_ends(path, sizes[0]))
    except OSError as error:
        raise VideoError(
            f"{path} cannot be read ({error.strerror or error}).",
            "Check that it still exists and that you have permission to read it.",
        ) from error
    frames = f"{len(files)} frames, " if many else ""
    return f"{frames}{sum(sizes)} bytes, SHA-256 {digest.hexdigest()[:16]}"


def _both_ends(file: Path, size: int) -> bytes:
    with file.open("rb") as opened:
        beginning = opened.read(_END_BYTES)
        opened.seek(max(len(beginning), size - _END_BYTES))
        return beginning + opened.read(_END_BYTES)
