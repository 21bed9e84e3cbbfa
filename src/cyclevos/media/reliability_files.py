"""Reliability as files: a CSV row per frame and object, and a JSON review list."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.files.records import append_lines, whole_lines
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.review import spread_choice
from cyclevos.media.writers import ResultWriter
from cyclevos.naming import natural_key

RELIABILITY_FILE = "reliability.csv"
REVIEW_FILE = "reliability.json"

_COLUMNS = ("sequence", "frame", "object_id", "reliability")


class ReliabilityRow(NamedTuple):
    """One row of the CSV.

    Attributes:
        sequence: name of the source.
        frame: frame name.
        object_id: the user's id of the object.
        reliability: predicted J of its mask, 0..1.
    """

    sequence: str
    frame: str
    object_id: int
    reliability: float


class ReliabilityWriter(ResultWriter):
    """The CSV, appended frame by frame: one row per object of each frame, none for annotated frames.

    Args:
        path: the CSV.
        sequence: name of the source.
        resume: keep the rows of an interrupted run; a frame written again replaces its earlier rows.

    Raises:
        OutputError: the file of the interrupted run cannot be read.
    """

    def __init__(self, path: str | Path, sequence: str, *, resume: bool = False) -> None:
        self.path = Path(path)
        self._sequence = sequence
        self._rows: dict[str, list[ReliabilityRow]] = {}
        if resume and self.path.is_file():
            for row in read_reliability(self.path, broken_end=True):
                self._rows.setdefault(row.frame, []).append(row)
        self._started = False

    def write(self, result: FrameResult) -> None:
        """Append one frame's rows.

        Raises:
            OutputError: the system refuses to write.
        """
        reliability = {} if result.annotated else result.reliability
        rows = [ReliabilityRow(self._sequence, result.name, i, value) for i, value in sorted(reliability.items())]
        self._rows[result.name] = rows
        if self._started:
            append_lines(self.path, _lines(rows), flush=False)
        else:
            self._started = True
            self._write_whole()

    def close(self) -> None:
        """Write the rows in the order of the frames, each once."""
        with output_errors(self.path):
            self._write_whole()

    def _write_whole(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_reliability(self.path, (row for name in sorted(self._rows, key=natural_key) for row in self._rows[name]))


def write_reliability(path: Path, rows: Iterable[ReliabilityRow]) -> None:
    """Write the whole CSV.

    Raises:
        OutputError: the system refuses to write.
    """
    with output_errors(path), replacing(path) as temporary:
        temporary.write_text(",".join(_COLUMNS) + "\n" + _lines(rows), encoding="utf-8", newline="\n")


def read_reliability(path: Path, *, broken_end: bool = False) -> list[ReliabilityRow]:
    """Read the CSV.

    Args:
        path: the file.
        broken_end: ignore an incomplete last line.

    Raises:
        OutputError: the file cannot be read or is not such a CSV.
    """
    try:
        # Only whole lines: a number that was cut off is a number still.
        content = b"".join(line for _, line in whole_lines(path)) if broken_end else path.read_bytes()
        lines = list(csv.reader(io.StringIO(content.decode(), newline="")))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise OutputError(f"{path} cannot be read: {error}.", "Remove it and run again.") from error
    if broken_end and not content:
        return []
    if not lines or tuple(lines[0]) != _COLUMNS:
        raise OutputError(f"{path} does not begin with the columns {','.join(_COLUMNS)}.", "Remove it and run again.")
    rows = []
    for number, line in enumerate(lines[1:], start=2):
        try:
            sequence, frame, object_id, reliability = line
            rows.append(ReliabilityRow(sequence, frame, int(object_id), float(reliability)))
        except ValueError as error:
            raise OutputError(
                f"{path}, line {number}: expected {','.join(_COLUMNS)}, found {','.join(line)!r}.",
                "Remove the file and run again.",
            ) from error
    return rows


def write_review(path: Path, rows: Sequence[ReliabilityRow], count: int) -> list[dict[str, Any]]:
    """Write the JSON: all rows, and the review list, spread over time.

    Args:
        path: the JSON.
        rows: rows of one or several sequences, the frames of each in order.
        count: frames to list at most.

    Returns:
        The review list, least reliable first: sequence, frame, its least reliable object and that object's
        reliability.

    Raises:
        OutputError: the system refuses to write.
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
