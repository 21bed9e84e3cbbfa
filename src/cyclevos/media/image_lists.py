"""Files of images as users name them beside a folder: by a pattern such as ``%05d.jpg``, or in a list.

Nothing is decoded here.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from cyclevos.errors import VideoError
from cyclevos.naming import IMAGE_SUFFIXES, VIDEO_SUFFIXES, check_readable, is_raw, raw_refusal
from cyclevos.words import counted, listed

LIST_SUFFIXES = frozenset({".txt", ".lst", ".ffconcat"})
"""Endings of lists of files."""

_MOST_BYTES = 64 * 2**20  # of a list; a million long paths
_NUMBER = re.compile(r"%(?:0([1-9]))?d")
_PER_CENT = "\0"  # stands for an escaped one; no file name has it
_PART = re.compile(r"'([^']*)'|\\(.)|([^'\\]+)", re.DOTALL)
logger = logging.getLogger(__name__)


def is_pattern(path: Path) -> bool:
    """Return whether a path that does not exist is a pattern of numbered files, such as ``frames/%05d.jpg``."""
    return _NUMBER.search(_without_escapes(path)) is not None


def numbered_files(pattern: Path) -> list[Path]:
    """Return the files that a pattern means, by ascending number.

    Numbers are written as C's ``printf`` writes them: ``%05d`` with zeros to five digits, ``%d`` without. Numbers that
    are left out are told in a warning: the frames keep their files' names, so no mask belongs to another frame for
    that.

    Args:
        pattern: the file name has one ``%d`` or ``%0Nd``; ``%%`` is a per cent sign.

    Raises:
        VideoError: the folder does not exist, no file matches, one cannot be read, or the pattern is not of images.
    """
    _check_image(pattern, str(pattern))
    folder = pattern.parent
    if not folder.is_dir():
        raise VideoError(f"{pattern}: the folder {folder} does not exist.", "Check the spelling.")
    expression, width = _expression(pattern)
    numbered = sorted((int(match[1]), file) for file, match in _matches(folder, expression, width))
    if not numbered:
        names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
        raise VideoError(
            f"No file in {folder} matches {pattern.name}. Found: {listed(names, most=5) or 'nothing'}.",
            "Write the names as they are, with %d or %05d for the number, or give the folder.",
        )
    files = check_readable([file for _, file in numbered])
    _note_gaps(pattern, [number for number, _ in numbered])
    return files


def listed_files(path: Path) -> list[Path]:
    """Return the image files that a list names, in its order.

    One path a line, relative to the list; empty lines and lines that begin with ``#`` are skipped. FFmpeg's lists
    (``file 'a.jpg'``) are read too, except that their durations have no effect.

    Args:
        path: a text file in UTF-8.

    Raises:
        VideoError: the list cannot be read or is empty, or one of its lines names no image that can be read.
    """
    files: list[Path] = []
    untimed = False
    for number, line in enumerate(_lines(path), start=1):
        text = line.strip()
        where = f"{path}, line {number}"
        word = text.split(maxsplit=1)[0] if text else "#"
        if word.startswith("#") or text.startswith("ffconcat version"):
            continue
        if word == "duration":
            untimed = True
            continue
        files.append(_listed(path.parent / (_unquoted(text[5:]) if word == "file" else text), where))
    if not files:
        raise VideoError(f"{path} lists no file. Expected the path of an image on every line.", "Add the frames.")
    if untimed:
        logger.warning("the durations in %s have no effect: its frames have no times", path)
    return files


def _expression(pattern: Path) -> tuple[re.Pattern[str], int]:
    """Return what the names of a pattern's files match, with the number as its group, and its least digits."""
    parts = _NUMBER.split(_without_escapes(pattern))  # text and digits in turn
    if len(parts) != 3:
        raise VideoError(
            f"{pattern} has {counted(len(parts) // 2, 'number')} in its name; expected one, such as %05d.",
            "Give the folder to use all of its images.",
        )
    before, after = (re.escape(part.replace(_PER_CENT, "%")) for part in parts[::2])
    return re.compile(f"{before}([0-9]+){after}"), int(parts[1] or 1)


def _without_escapes(pattern: Path) -> str:
    return pattern.name.replace("%%", _PER_CENT)


def _matches(folder: Path, expression: re.Pattern[str], width: int) -> Iterator[tuple[Path, re.Match[str]]]:
    for file in folder.iterdir():
        match = expression.fullmatch(file.name)
        if match is not None and match[1] == f"{int(match[1]):0{width}d}":
            yield file, match


def _note_gaps(pattern: Path, numbers: Sequence[int]) -> None:
    steps = {after - before for before, after in pairwise(numbers)}
    if steps - {1}:
        before = next(n for n, after in pairwise(numbers) if after != n + 1)
        missing = numbers[-1] - numbers[0] + 1 - len(numbers)
        logger.warning(
            "%s: %s between %d and %d %s left out, the first after %d; frames keep the names of their files",
            pattern,
            counted(missing, "number"),
            numbers[0],
            numbers[-1],
            "is" if missing == 1 else "are",
            before,
        )


def _lines(path: Path) -> list[str]:
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise VideoError(
                f"{path} has {path.stat().st_size:,} bytes; a list of files has at most {_MOST_BYTES:,}.",
                "Give a list of the frames, or the video itself.",
            )
        return path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise VideoError(
            f"{path} cannot be read as a list of files ({error}). Expected text in UTF-8, one path a line.",
            "Write the list again, or give the folder of the frames.",
        ) from error


def _listed(file: Path, where: str) -> Path:
    try:
        there = file.is_file()
    except ValueError:  # a character that no name has
        there = False
    if not there:
        raise VideoError(
            f"{where}: {str(file)[:300]!r} is not a file.", "Correct the line; paths are relative to the list."
        )
    _check_image(file, where)
    check_readable([file])
    return file


def _check_image(file: Path, where: str) -> None:
    if is_raw(file):
        raise raw_refusal(file)
    if file.suffix.lower() in IMAGE_SUFFIXES:
        return
    video = file.suffix.lower() in VIDEO_SUFFIXES
    raise VideoError(
        f"{where}: {file.name} is not an image. Expected {' '.join(sorted(IMAGE_SUFFIXES))}.",
        "Join videos first: ffmpeg -f concat -i list.txt -c copy joined.mp4"
        if video
        else "Convert the frames to one of these.",
    )


def _unquoted(text: str) -> str:
    r"""Resolve FFmpeg's quoting: quoted parts are literal, and a backslash outside of quotes keeps one character.

    >>> _unquoted(r"'it'\''s 1.jpg'")
    "it's 1.jpg"
    """
    return "".join(quoted or escaped or plain for quoted, escaped, plain in _PART.findall(text.strip()))
