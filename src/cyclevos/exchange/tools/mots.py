"""MOTS text: one line per object and frame with frame index, id, class, height, width and run-length code.

As in KITTI MOTS, an id is 1000 times the class plus the object's number, and class 10 marks regions to ignore.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import run_length
from cyclevos.exchange.contents.text_files import read_text_file
from cyclevos.exchange.track import MaskFrame, MaskTrack, merge_objects
from cyclevos.files.atomic import replacing
from cyclevos.naming import index_name, size_text
from cyclevos.words import counted

_CLASS = 1  # our objects have no class
_IGNORED = 10
_MAX_FRAME = 10**7
_EXPECTED = "Give a file with at least one line: frame id class height width code."
_BROKEN = "Correct the line or export the file again."


class _Line(NamedTuple):
    object_id: int
    size: tuple[int, int]
    code: str


def read_mots(path: Path, *, length: int | None = None, overlap: str = "error") -> MaskTrack:
    """Read a MOTS text file; frames without a line are empty.

    Args:
        path: the file.
        length: frames of the video; None = up to the last frame that has a line.
        overlap: see :func:`cyclevos.exchange.track.merge_objects`.

    Returns:
        The masks; codes are decoded when their frame's turn comes.

    Raises:
        MaskError: a line is broken, masks differ in size, or the file is empty.
    """
    found = _read_lines(path)
    lines = [line for each in found.values() for line in each]
    if not lines:
        raise MaskError(f"{path} holds no object.", _EXPECTED)
    ids = _object_ids({line.object_id for line in lines}, path)
    size = lines[0].size
    count = max(found) + 1 if length is None else length
    if max(found) >= count:
        raise MaskError(
            f"{path} has a line for frame {max(found)}, the video only {counted(count, 'frame')}.",
            "Give the video's number of frames by --length.",
        )

    def frames() -> Iterator[MaskFrame]:
        for index in range(count):
            where = f"{path}, frame {index}"
            masks: list[tuple[int, Any]] = []
            for line in found.get(index, ()):
                if line.size != size:
                    raise MaskError(
                        f"{where}: a mask is {size_text(line.size)}, others are {size_text(size)} (width x height).",
                        "Export all masks of a video in one size.",
                    )
                masks.append((ids[line.object_id], run_length.decode(line.code, size, where)))
            yield MaskFrame(index, index_name(index), merge_objects(masks, size, where, overlap))

    return MaskTrack(path.stem, frames, by_position=True)


def is_mots(head: bytes) -> bool:
    """Return whether a text begins as MOTS text does, with five whole numbers and a code."""
    words = head.split(b"\n", 1)[0].split()
    return not head.strip() or (len(words) == 6 and all(word.isdigit() for word in words[:5]))


def write_mots(track: MaskTrack, path: Path) -> None:
    """Write MOTS text, which cannot hold names of frames or objects.

    Args:
        track: the masks.
        path: the text file.

    Raises:
        MaskError: a mask cannot be read.
        OutputError: the system refuses to write.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as file:
        for frame in track.frames():
            height, width = frame.ids.shape
            for object_id in frame.object_ids:
                code = run_length.encode(frame.ids == object_id)
                file.write(f"{frame.index} {1000 * _CLASS + object_id} {_CLASS} {height} {width} {code}\n")


def _read_lines(path: Path) -> dict[int, list[_Line]]:
    """Return the lines of each frame by frame index; a frame that has only regions to ignore has an empty list."""
    text = read_text_file(path, "MOTS text", _EXPECTED, encoding="ascii")
    found: dict[int, list[_Line]] = defaultdict(list)
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            frame, read = _parsed(line, f"{path}, line {number}")
            found[frame] += [read] if read is not None else []
    return found


def _object_ids(keys: set[int], path: Path) -> dict[int, int]:
    """Take the object's number out of each id, or, if there are several classes, renumber the objects from 1."""
    if len(keys) > 255:
        raise MaskError(
            f"{path} holds {counted(len(keys), 'object')}, but a mask can hold 255.",
            "Split the objects into several files.",
        )
    one_class = len({key // 1000 for key in keys}) == 1
    plain = one_class and all(1 <= key % 1000 <= 255 for key in keys)
    return {key: key % 1000 if plain else k for k, key in enumerate(sorted(keys), start=1)}


def _parsed(line: str, where: str) -> tuple[int, _Line | None]:
    parts = line.split()
    try:
        frame, object_id, kind, height, width = (int(part) for part in parts[:5])
        (code,) = parts[5:]
    except ValueError as error:
        raise MaskError(
            f"{where}: expected frame, id, class, height, width and code, found {line[:60]!r}.", _BROKEN
        ) from error
    if not 0 <= frame <= _MAX_FRAME or object_id < 0:
        raise MaskError(
            f"{where}: expected a frame from 0 to {_MAX_FRAME} and an id from 0, found {frame} and {object_id}.",
            _BROKEN,
        )
    size = run_length.check_size((height, width), where)
    return frame, None if kind == _IGNORED else _Line(object_id, size, code)
