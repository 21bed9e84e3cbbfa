"""Frame names: natural order, file endings, and which frame a mask belongs to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from cyclevos.errors import CycleVOSError, MaskError, VideoError

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".exr"})
"""Endings of the image files that are frames."""
RAW_SUFFIXES = frozenset({".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2"})
"""Endings of cameras' raw pictures, which are not read."""
ANIMATION_SUFFIXES = frozenset({".gif", ".apng", ".webp", ".avif", ".tif", ".tiff"})
"""Endings of picture files that may hold a whole video."""
VIDEO_SUFFIXES = frozenset(
    {".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg", ".ts", ".mts", ".m2ts", ".wmv", ".flv", ".mxf"}
)
"""Endings that video files usually have; FFmpeg decides by their content."""
WHOLE_VIDEO_SUFFIXES = VIDEO_SUFFIXES | ANIMATION_SUFFIXES
"""Endings of single files that are offered and uploaded as videos."""
MASK_SUFFIXES = frozenset({".png"})
LAST_NUMBER = re.compile(r"(.*?)([0-9]+)([^0-9]*)")
"""Matches a whole name that has a number: what is before its last one, the number's digits, and what is after it."""
# Endings of the pictures that a user may give as masks, each with those of the same kind, the likeliest first. JPEG is
# among them so that it is named where it is refused.
_GIVEN_MASK_SUFFIXES = (MASK_SUFFIXES, {".tif", ".tiff"}, {".bmp"}, {".gif"}, {".webp"}, {".exr"}, {".jpg", ".jpeg"})
_ANNOTATION_SUFFIXES = frozenset({".json", ".xml", ".txt"})
# Endings of pictures that annotation tools name, whether or not they can be read here.
_PICTURE_SUFFIXES = IMAGE_SUFFIXES | RAW_SUFFIXES | {".gif", ".avif", ".heic", ".jp2", ".jfif", ".ppm", ".pgm"}


def natural_key(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """Sort key that orders the numbers in names by value.

    Letters are compared without their case; equal names are ordered by their exact characters, so the order is
    total. Only the digits 0-9 count as numbers.

    >>> sorted(["frame10", "frame2", "Frame1"], key=natural_key)
    ['Frame1', 'frame2', 'frame10']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", name)
    return [(0, int(part), "") if "0" <= part[0] <= "9" else (1, 0, part.casefold()) for part in parts], name


def is_frame_file(path: Path) -> bool:
    """Return whether a file is an image, judged by its name; hidden files are not."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")


def is_mask_file(path: Path) -> bool:
    """Return whether a file is a mask, judged by its name: a PNG that is not hidden."""
    return path.suffix.lower() in MASK_SUFFIXES and not path.name.startswith(".")


def is_picture_file(path: Path) -> bool:
    """Return whether a file is a picture, judged by its name, of whatever kind."""
    return path.suffix.lower() in _PICTURE_SUFFIXES


def list_frames(folder: Path, error: type[CycleVOSError] = VideoError) -> list[Path]:
    """Return a folder's image files in natural order of their frame names; the list may be empty.

    Args:
        folder: the folder.
        error: the kind of error to raise.

    Raises:
        CycleVOSError: of the kind `error`, if something there is named like a frame and cannot be read. Leaving it
            out would shift the masks of all frames behind it.
    """
    return check_readable(in_natural_order(file for file in folder.iterdir() if is_frame_file(file)), error=error)


def list_masks(folder: Path, error: type[CycleVOSError] = MaskError) -> list[Path]:
    """Return a folder's mask files in natural order of their frame names; the list may be empty.

    Args:
        folder: the folder; folders in it are no masks, whatever they are called.
        error: the kind of error to raise.

    Raises:
        CycleVOSError: of the kind `error`, if something there is named like a mask and cannot be read.
    """
    files = (file for file in folder.iterdir() if is_mask_file(file) and not file.is_dir())
    return check_readable(in_natural_order(files), "mask", error)


def list_given_masks(folder: Path) -> list[Path]:
    """Return the pictures in a folder that a user gives as masks, in natural order; the list may be empty.

    They are PNGs or, where there are none, all those of another kind. A picture with annotations beside it
    (``00000.json``, ``00000.txt``, ``00000.xml``, ``00000.jpg.json``) is what was annotated, and no mask; so are those
    of its kind, which nobody has annotated yet.

    Raises:
        MaskError: something there is named like a mask and cannot be read.
    """
    files = [file for file in folder.iterdir() if not file.name.startswith(".") and not file.is_dir()]
    annotated = {file.stem for file in files if file.suffix.lower() in _ANNOTATION_SUFFIXES}
    for suffixes in _GIVEN_MASK_SUFFIXES:
        found = [file for file in files if file.suffix.lower() in suffixes]
        if found and not any({file.stem, file.name} & annotated for file in found):
            return check_readable(in_natural_order(found), "mask", MaskError)
    return []


def check_readable(files: list[Path], kind: str = "frame", error: type[CycleVOSError] = VideoError) -> list[Path]:
    """Return the files, if all of them can be read.

    Args:
        files: the files.
        kind: what they are named like.
        error: the kind of error to raise.

    Raises:
        CycleVOSError: of the kind `error`, naming the first that is a broken link, no file or not allowed to be read.
    """
    for file in files:
        why = _why_unreadable(file)
        if why:
            raise error(
                f"{file} is named like a {kind}, but it {why}.", f"Replace it, or move it away if it is not a {kind}."
            )
    return files


def list_files(path: Path, *suffixes: str) -> list[Path]:
    """Return the file itself, or a folder's files in natural order; hidden files are left out.

    Args:
        path: the file or folder.
        suffixes: endings that the files may have, in small letters with the dot; none = any.
    """
    if not path.is_dir():
        return [path]
    return in_natural_order(
        file
        for file in path.iterdir()
        if (not suffixes or file.suffix.lower() in suffixes) and not file.name.startswith(".") and file.is_file()
    )


def list_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder in natural order; hidden ones are left out."""
    below = (each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))
    return sorted(below, key=lambda each: natural_key(each.name))


def in_natural_order(files: Iterable[Path]) -> list[Path]:
    """Sort files by frame name, and files with the same frame name by their whole names."""
    return sorted(files, key=lambda file: (natural_key(file.stem), file.name))


def by_frame_name(files: Iterable[Path], error: type[CycleVOSError] = VideoError) -> dict[str, Path]:
    """Return files by frame name (file name without its ending), in the given order.

    Args:
        files: the files of one folder.
        error: the kind of error to raise.

    Raises:
        CycleVOSError: of the kind `error`, if two files have the same frame name.
    """
    named: dict[str, Path] = {}
    for file in files:
        other = named.setdefault(file.stem, file)
        if other is not file:
            raise error(
                f"{file.parent} holds two files of one name: {other.name} and {file.name} are both frame "
                f"'{file.stem}'. Results are named after the frame's file without its ending.",
                "Rename or remove one of the two.",
            )
    return named


def numbered_neighbour(file: Path) -> Path | None:
    """Return the file beside this one whose last number is one higher, or else one lower; None if there is none.

    The numbers have as many digits, or no zeros before them; everything else in the two names is the same.
    """
    match = LAST_NUMBER.fullmatch(file.stem)
    if match is None:
        return None
    before, digits, after = match.groups()
    for number in (int(digits) + 1, int(digits) - 1):
        other = file.with_name(f"{before}{number:0{len(digits)}d}{after}{file.suffix}")
        if number >= 0 and other.is_file():
            return other
    return None


def list_images(folder: Path) -> list[Path]:
    """Return the frames of a folder in natural order.

    Raises:
        VideoError: the folder holds no image, two images with the same frame name, or something that is named like
            an image and cannot be read.
    """
    files = list_frames(folder)
    if not files:
        names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        raw = next((name for name in names if is_raw(Path(name))), None)
        if raw is not None:
            raise raw_refusal(folder / raw)
        raise VideoError(
            f"{folder} holds no image. Found: {', '.join(names[:5]) or 'nothing'}. Expected files ending in "
            f"{' '.join(sorted(IMAGE_SUFFIXES))}.",
            "Give the folder that holds the frames themselves, or the path of a video file.",
        )
    return list(by_frame_name(files).values())


def is_raw(path: Path) -> bool:
    """Return whether a file is a camera's raw picture, judged by its name."""
    return path.suffix.lower() in RAW_SUFFIXES


def raw_refusal(path: Path) -> VideoError:
    """Return the refusal of a camera's raw picture."""
    return VideoError(
        f"{path} is a camera's raw picture: its colours depend on the program that develops it, and cyclevos does not.",
        "Develop the pictures, in darktable, RawTherapee or Lightroom, and export them as JPEG, or as PNG or TIFF with "
        "16 bits.",
    )


def index_name(index: int) -> str:
    """Return the name of a frame that has no file of its own.

    >>> index_name(12)
    '00012'
    """
    return f"{index:05d}"


def frame_name(file_name: str) -> str:
    r"""Return the frame's name in a file name that another program wrote: without folders and a picture's ending.

    >>> frame_name("train\\00012.JPG"), frame_name("clip/00012"), frame_name("shot.v2")
    ('00012', '00012', 'shot.v2')
    """
    base = re.split(r"[\\/]", file_name)[-1]
    stem, dot, ending = base.rpartition(".")
    return stem if dot and f".{ending.lower()}" in _PICTURE_SUFFIXES else base


def size_text(size: tuple[int, int]) -> str:
    """Write a (height, width) as width x height.

    >>> size_text((480, 854))
    '854x480'
    """
    return f"{size[1]}x{size[0]}"


def _why_unreadable(file: Path) -> str | None:
    if file.is_dir():
        return "is a folder"
    if not file.exists():
        return f"is a link to {file.readlink()}, which does not exist" if file.is_symlink() else "does not exist"
    if not file.is_file():
        return "is not a file"
    return None if os.access(file, os.R_OK) else "may not be read (no permission)"
