"""What tracking said of each frame, as lines appended to a file: reliability and area of every object."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyclevos.app.durable_files import write_durably
from cyclevos.files.atomic import output_errors
from cyclevos.media.review import spread_choice

_REVIEWED = 10
_GOOD = 0.85  # predicted J from which the page paints a frame green


@dataclass(frozen=True)
class FrameResult:
    """What is known of one frame.

    Attributes:
        reliability: J that each object's mask is thought to have, by id.
        areas: pixels of each object that is there, by id.
    """

    reliability: Mapping[int, float] = field(default_factory=dict)
    areas: Mapping[int, int] = field(default_factory=dict)


class ResultLog:
    """The last line of a frame counts; a line that was cut off is passed over.

    Args:
        path: the file, one JSON object a line.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._rows: dict[int, FrameResult] = {}
        lines, whole = 0, True
        for row in _read_lines(path):
            lines, whole = lines + 1, row is not None
            if row is not None:
                self._rows[row[0]] = row[1]
        if lines > 2 * len(self._rows) + 100 or not whole:
            self._rewrite()

    def __getitem__(self, index: int) -> FrameResult:
        """Return what is known of a frame, which may be nothing."""
        return self._rows.get(index, FrameResult())

    def items(self) -> list[tuple[int, FrameResult]]:
        """Return all that is known, in the frames' order."""
        return sorted(self._rows.items())

    def add(self, index: int, result: FrameResult) -> None:
        """Append a line, so that not even a power cut loses it.

        Raises:
            OutputError: the disk refuses.
        """
        with output_errors(self._path):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("ab") as file:
                file.write(_line(index, result))
                file.flush()
                os.fsync(file.fileno())
        self._rows[index] = result

    def remove_object(self, object_id: int) -> None:
        """Forget an object.

        Raises:
            OutputError: the disk refuses.
        """
        for index, result in self._rows.items():
            self._rows[index] = FrameResult(
                {i: value for i, value in result.reliability.items() if i != object_id},
                {i: value for i, value in result.areas.items() if i != object_id},
            )
        self._rewrite()

    def _rewrite(self) -> None:
        write_durably(self._path, b"".join(_line(index, result) for index, result in self._rows.items()))


def _line(index: int, result: FrameResult) -> bytes:
    record: dict[str, Any] = {"frame": index, "reliability": result.reliability, "areas": result.areas}
    return json.dumps(record, separators=(",", ":")).encode() + b"\n"


def _read_lines(path: Path) -> Iterator[tuple[int, FrameResult] | None]:
    if not path.is_file():
        return
    with path.open("rb") as file:
        for line in file:
            try:
                if not line.endswith(b"\n"):
                    raise ValueError("cut off")
                record = json.loads(line)
                reliability = {int(i): float(value) for i, value in record["reliability"].items()}
                areas = {int(i): int(value) for i, value in record["areas"].items()}
                yield int(record["frame"]), FrameResult(reliability, areas)
            except (ValueError, KeyError, TypeError, AttributeError):
                yield None


def doubtful_frames(results: Sequence[tuple[int, FrameResult]]) -> list[dict[str, Any]]:
    """Return frames to look at, no neighbours, the most doubtful first; where nothing is in doubt, the worst one."""
    rows = [
        (index, *min(result.reliability.items(), key=lambda item: item[1]))
        for index, result in results
        if result.reliability
    ]
    rows = [row for row in rows if row[2] < _GOOD] or sorted(rows, key=lambda row: row[2])[:1]
    numbers = [index for index, _, _ in rows]
    chosen = spread_choice([1 - value for _, _, value in rows], _REVIEWED, frames=numbers, apart=1)
    return [{"frame": rows[k][0], "object": rows[k][1], "reliability": rows[k][2]} for k in chosen]
