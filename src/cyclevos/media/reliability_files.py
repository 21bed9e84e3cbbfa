"""What the masks are thought to be worth: a CSV row per frame and object, and the frames to look at first."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.files.records import append_lines, whole_lines
from cyclevos.media.frames import Frame
from cyclevos.media.review import spread_choice
from cyclevos.media.writers import ResultWriter
from cyclevos.naming import natural_key
from cyclevos.pictures.arrays import UInt8Array

RELIABILITY_FILE = "reliability.csv"
REVIEW_FILE = "reliability.json"

_COLUMNS = ("sequence", "frame", "object_id", "reliability")


class ReliabilityRow(NamedTuple):
    """One line of the CSV.

    Attributes:
        sequence: the source's name.
        frame: the frame's name.
        object_id: the user's id.
        reliability: the J its mask is thought to have, 0..1.
    """

    sequence: str
    frame: str
    object_id: int
    reliability: float


class ReliabilityWriter(ResultWriter):
    """The CSV, a line at a time as frames come; every frame whose mask was not given has a line per object.

    Args:
        path: the CSV.
        sequence: the source's name.
        resume: keep the lines of an interrupted run; a frame that comes again replaces its own.
    """

    def __init__(self, path: str | Path, sequence: str, *, resume: bool = False) -> None:
        self.path = Path(path)
        self._sequence = sequence
        self._rows: dict[str, list[ReliabilityRow]] = {}
        if resume and self.path.is_file():
            for row in read_reliability(self.path, broken_end=True):
                self._rows.setdefault(row.frame, []).append(row)
        self._started = False

    def write(
        self,
        frame: Frame,
        ids: UInt8Array,
        probabilities: npt.NDArray[np.floating[Any]] | None = None,
        *,
        object_ids: Sequence[int] | None = None,
        reliability: Mapping[int, float] | None = None,
    ) -> None:
        """Append one frame's lines; see ResultWriter.write."""
        rows = [ReliabilityRow(self._sequence, frame.name, i, v) for i, v in sorted((reliability or {}).items())]
        self._rows[frame.name] = rows
        if self._started:
            append_lines(self.path, _lines(rows), flush=False)
        else:
            self._started = True
            self._write_whole()

    def close(self) -> None:
        """Put the lines in the frames' order, once each."""
        with output_errors(self.path):
            self._write_whole()

    def _write_whole(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_reliability(self.path, (row for name in sorted(self._rows, key=natural_key) for row in self._rows[name]))


def write_reliability(path: Path, rows: Iterable[ReliabilityRow]) -> None:
    """Write the CSV whole.

    Raises:
        OutputError: the disk refuses.
    """
    with output_errors(path), replacing(path) as temporary:
        temporary.write_text(",".join(_COLUMNS) + "\n" + _lines(rows), encoding="utf-8", newline="\n")


def read_reliability(path: Path, *, broken_end: bool = False) -> list[ReliabilityRow]:
    """Read the CSV.

    Args:
        path: the file.
        broken_end: pass over a last line that was cut off.

    Raises:
        OutputError: it is no such file.
    """
    try:
        # Only whole lines: a number that was cut off is a number still.
        content = b"".join(line for _, line in whole_lines(path)) if broken_end else path.read_bytes()
        lines = list(csv.reader(io.StringIO(content.decode(), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutputError(f"{path} cannot be read ({error}). Remove it and run again.") from error
    if broken_end and not content:
        return []
    if not lines or tuple(lines[0]) != _COLUMNS:
        raise OutputError(f"{path} does not begin with the columns {','.join(_COLUMNS)}. Remove it and run again.")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            sequence, frame, object_id, reliability = line
            rows.append(ReliabilityRow(sequence, frame, int(object_id), float(reliability)))
        except ValueError as error:
            raise OutputError(f"{path}, line {number}: {','.join(line)!r} is not {','.join(_COLUMNS)}.") from error
    return rows


def write_review(path: Path, rows: Sequence[ReliabilityRow], count: int) -> list[dict[str, Any]]:
    """Write the JSON: all rows, and the frames to look at, the most useful first, spread over time.

    Args:
        path: the JSON.
        rows: of one or several sequences, each sequence's frames in order.
        count: frames to list at most.

    Returns:
        The list: sequence, frame, its least reliable object and that object's reliability.

    Raises:
        OutputError: the disk refuses.
    """
    worst: dict[tuple[str, str], ReliabilityRow] = {}
    for row in rows:
        held = worst.get((row.sequence, row.frame))
        if held is None or row.reliability < held.reliability:
            worst[row.sequence, row.frame] = row
    frames = list(worst.values())
    review = [frames[k]._asdict() for k in spread_choice([1 - row.reliability for row in frames], count)]
    with output_errors(path), replacing(path) as temporary:
        record = {"count": count, "review": review, "frames": [row._asdict() for row in rows]}
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8", newline="\n")
    return review


def _lines(rows: Iterable[ReliabilityRow]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerows((row.sequence, row.frame, row.object_id, f"{row.reliability:.4f}") for row in rows)
    return text.getvalue()
