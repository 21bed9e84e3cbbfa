"""MOTS text: a line of frame, id, class, height, width and run-length code for each object of each frame.

As in KITTI MOTS ids are 1000 times the class plus the object's number; class 10 marks regions to ignore.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from cyclevos.errors import MaskError
from cyclevos.exchange import run_length
from cyclevos.exchange.track import MaskFrame, MaskTrack, merge_objects
from cyclevos.files.atomic import replacing
from cyclevos.naming import index_name

_CLASS = 1  # ours have none; 1 is the first
_IGNORED = 10
_MAX_FRAME = 10**7


class _Line(NamedTuple):
    object_id: int
    size: tuple[int, int]
    code: str


def read_mots(path: Path, *, length: int | None = None, overlap: str = "error") -> MaskTrack:
    """Read a MOTS text file; frames without a line are empty.

    Args:
        path: the file.
        length: frames of the video; None = up to the last one that has a line.
        overlap: see :func:`cyclevos.exchange.track.merge_objects`.

    Raises:
        MaskError: a line is broken, sizes differ, or there is none.
    """
    try:
        text = path.read_text(encoding="ascii")
    except (OSError, ValueError) as error:
        raise MaskError(f"{path} cannot be read as MOTS text ({error}).") from error
    found: dict[int, list[_Line]] = defaultdict(list)
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            frame, read = _parsed(line, f"{path}, line {number}")
            found[frame] += [read] if read is not None else []
    lines = [line for each in found.values() for line in each]
    if not lines:
        raise MaskError(f"{path} holds no object. Expected lines of: frame id class height width code.")
    keys = sorted({line.object_id for line in lines})
    if len(keys) > 255:
        raise MaskError(f"{path} holds {len(keys)} objects, a mask has room for 255.")
    classes = {key // 1000 for key in keys}
    plain = len(classes) == 1 and all(1 <= key % 1000 <= 255 for key in keys)
    ids = {key: key % 1000 if plain else k for k, key in enumerate(keys, start=1)}
    size = lines[0].size
    count = max(found) + 1 if length is None else length
    if max(found) >= count:
        raise MaskError(f"{path} has a line for frame {max(found)}, the video only {count} frames.")

    def frames() -> Iterator[MaskFrame]:
        for index in range(count):
            where = f"{path}, frame {index}"
            masks: list[tuple[int, Any]] = []
            for line in found.get(index, ()):
                if line.size != size:
                    raise MaskError(f"{where}: a mask of {line.size}, others of {size} (height, width).")
                masks.append((ids[line.object_id], run_length.decode(line.code, size, where)))
            yield MaskFrame(index, index_name(index), merge_objects(masks, size, where, overlap))

    return MaskTrack(path.stem, frames)


def write_mots(track: MaskTrack, path: Path) -> None:
    """Write MOTS text; names of frames and objects have no place in it.

    Raises:
        OutputError: the disk refuses.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as file:
        for frame in track.frames():
            height, width = frame.ids.shape
            for object_id in (int(i) for i in np.unique(frame.ids) if i):
                code = run_length.encode(frame.ids == object_id)
                file.write(f"{frame.index} {1000 * _CLASS + object_id} {_CLASS} {height} {width} {code}\n")


def _parsed(line: str, where: str) -> tuple[int, _Line | None]:
    parts = line.split()
    try:
        frame, object_id, kind, height, width = (int(part) for part in parts[:5])
        (code,) = parts[5:]
    except ValueError as error:
        raise MaskError(f"{where}: expected frame, id, class, height, width and code, got {line[:60]!r}.") from error
    if not 0 <= frame <= _MAX_FRAME or object_id < 0:
        raise MaskError(
            f"{where}: frame {frame}, id {object_id}; expected a frame up to {_MAX_FRAME} and an id from 0."
        )
    size = run_length.check_size((height, width), where)
    return frame, None if kind == _IGNORED else _Line(object_id, size, code)
