"""How frames are named: their natural order, the endings of image files, names made of an index, sizes in words."""

from __future__ import annotations

import re
from pathlib import Path

from cyclevos.errors import VideoError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff"})


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that orders the numbers in names by value.

    >>> sorted(["frame10", "frame2", "Frame1"], key=natural_key)
    ['Frame1', 'frame2', 'frame10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part.casefold()) for part in parts], name


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


def index_name(index: int) -> str:
    """Name of a frame that has no file of its own.

    >>> index_name(12)
    '00012'
    """
    return f"{index:05d}"


def size_text(size: tuple[int, int]) -> str:
    """Write a (height, width) the way people do.

    >>> size_text((480, 854))
    '854x480'
    """
    return f"{size[1]}x{size[0]}"
