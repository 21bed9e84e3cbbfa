"""Reliability as files: a CSV row per frame and object, and a JSON review list."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cyclevos.errors import OutputError
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.files.records import append_lines, whole_lines
from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.review import spread_choice
from cyclevos.media.writers import ResultWriter
from cyclevos.naming import natural_key
from cyclevos.words import counted

RELIABILITY_FILE = "reliability.csv"
REVIEW_FILE = "reliability.json"

CALIBRATED, UNCALIBRATED = "calibrated", "uncalibrated"
"""The column `calibration`: a predictor that was fitted to the network made the number, or a formula."""

ABSENT = "absent"
"""The same column where a person says that the object is not in the frame; `reliability` is empty then."""

_COLUMNS = ("sequence", "frame", "object_id", "reliability", "calibration")
_NAMED_COLUMNS = (*_COLUMNS, "name")  # where an object has a name
_FORMER_COLUMNS = _COLUMNS[:-1]  # of version 0.1, which had one predictor for all networks


class ReliabilityRow(NamedTuple):
    """One row of the CSV.

    Attributes:
        sequence: name of the source.
        frame: frame name.
        object_id: the user's id of the object.
        reliability: predicted J of its mask, 0..1; NaN where the object is not in the frame.
        calibrated: a predictor that was fitted to the network made it, not a formula.
        name: of the object; empty where it has none.
    """

    sequence: str
    frame: str
    object_id: int
    reliability: float
    calibrated: bool = True
    name: str = ""

    def entry(self) -> dict[str, Any]:
        """Return the row as the JSON holds it: by column, without the name of an object that has none."""
        return {column: value for column, value in self._asdict().items() if column != "name" or value}


def prediction_name(rows: Iterable[ReliabilityRow]) -> str:
    """Return the name of these rows' numbers: ``predicted J``, with ``uncalibrated`` if one of them is.

    >>> prediction_name([ReliabilityRow("clip", "00001", 1, 0.9)])
    'predicted J'
    >>> prediction_name([ReliabilityRow("clip", "00001", 1, 0.9, calibrated=False)])
    'predicted J, uncalibrated'
    """
    return "predicted J" if all(row.calibrated for row in rows) else f"predicted J, {UNCALIBRATED}"


class ReliabilityWriter(ResultWriter):
    """The CSV, appended frame by frame: one row per object of each frame, none for annotated frames.

    An object that is known not to be in a frame has a row without a number.

    Args:
        path: the CSV.
        sequence: name of the source.
        resume: keep the rows of an interrupted run; a frame written again replaces its earlier rows.
        appearance: names of the objects.

    Raises:
        OutputError: the file of the interrupted run cannot be read.
    """

    def __init__(
        self, path: str | Path, sequence: str, *, resume: bool = False, appearance: Appearance = PLAIN
    ) -> None:
        self.path, self._sequence = Path(path), sequence
        # On one line each, so that a file that was cut off has whole lines up to there.
        names = {i: " ".join(name.split()) for i, name in appearance.names.items() if name != PLAIN.name(i)}
        self._names = {i: name for i, name in names.items() if name}
        self._rows: dict[str, list[ReliabilityRow]] = {}
        if resume and self.path.is_file():
            self._rows = _by_frame(read_reliability(self.path, broken_end=True))
        self._started = self._named = False

    def write(self, result: FrameResult) -> None:
        """Append one frame's rows.

        Raises:
            OutputError: the system refuses to write.
        """
        reliability = {} if result.annotated else result.reliability
        rows = [
            ReliabilityRow(self._sequence, result.name, i, value, result.calibrated, self._names.get(i, ""))
            for i, value in sorted({**reliability, **dict.fromkeys(result.absent, math.nan)}.items())
        ]
        self._rows[result.name] = rows
        if self._started:
            append_lines(self.path, _lines(rows, named=self._named), flush=False)
        else:
            self._started = True
            self._named = self._write_whole()

    def checksum(self, frames: Sequence[str]) -> bytes:
        """Return the checksum of these frames' rows, to compare with :func:`rows_checksum` of the file later."""
        return _checksum(self._rows, frames)

    def close(self) -> None:
        """Write the rows in the order of the frames, each once."""
        with output_errors(self.path):
            self._write_whole()

    def _write_whole(self) -> bool:
        """Write all rows, and return whether the file has a column for names."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        rows = [row for name in sorted(self._rows, key=natural_key) for row in self._rows[name]]
        named = bool(self._names) or any(row.name for row in rows)
        write_reliability(self.path, rows, named=named)
        return named


def write_reliability(path: Path, rows: Sequence[ReliabilityRow], *, named: bool = False) -> None:
    """Write the whole CSV.

    Args:
        path: the CSV.
        rows: its rows.
        named: it has a column for names, even if no object of these rows has one.

    Raises:
        OutputError: the system refuses to write.
    """
    named = named or any(row.name for row in rows)
    header = ",".join(_NAMED_COLUMNS if named else _COLUMNS)
    with output_errors(path), replacing(path) as temporary:
        temporary.write_text(f"{header}\n{_lines(rows, named=named)}", encoding="utf-8", newline="\n")


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
    if not lines or tuple(lines[0]) not in (_NAMED_COLUMNS, _COLUMNS, _FORMER_COLUMNS):
        raise OutputError(f"{path} does not begin with the columns {','.join(_COLUMNS)}.", "Remove it and run again.")
    columns, rows = lines[0], []
    for number, line in enumerate(lines[1:], start=2):
        try:
            if line[3:5] != ["", ABSENT]:  # which says nothing about a mask
                rows.append(_parse(line, len(columns)))
        except ValueError as error:
            raise OutputError(
                f"{path}, line {number}: expected {','.join(columns)}, found {','.join(line)!r}.",
                "Remove the file and run again.",
            ) from error
    return rows


def rows_checksum(path: Path, frames: Sequence[str]) -> bytes:
    """Return the checksum of some frames' rows in the CSV of an interrupted run.

    Args:
        path: the CSV; one that does not exist has no rows.
        frames: names of the frames, in order.

    Returns:
        32 bytes (SHA-256).

    Raises:
        OutputError: the file cannot be read or is not such a CSV.
    """
    return _checksum(_by_frame(read_reliability(path, broken_end=True)) if path.exists() else {}, frames)


def read_review_rows(path: Path) -> tuple[int, list[ReliabilityRow]] | None:
    """Return the length asked for and the rows of the JSON; None if the file is missing or damaged."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(record["review"], list):
            return None
        return int(record["count"]), [ReliabilityRow(**row) for row in record["frames"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def table_damage(path: Path, review: Path) -> str | None:
    """Return what is wrong with the CSV of a finished run; None if nothing is.

    A cut between two lines leaves a valid CSV, so its rows are compared with those that the JSON lists.

    Args:
        path: the CSV.
        review: the JSON made from it, if there is one.
    """
    try:
        rows = read_reliability(path)
        if not path.read_bytes().endswith(b"\n"):
            return f"{path} ends in the middle of a line."
    except OutputError as error:
        return error.problem
    except OSError as error:
        return f"{path} cannot be read: {error}."
    listed = read_review_rows(review)
    missing = set() if listed is None else {row[:3] for row in listed[1]} - {row[:3] for row in rows}
    return f"{path} lacks {counted(len(missing), 'row')} that {review.name} lists." if missing else None


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
    review = [frames[k].entry() for k in spread_choice([1 - row.reliability for row in frames], count)]
    with output_errors(path), replacing(path) as temporary:
        record = {"count": count, "review": review, "frames": [row.entry() for row in rows]}
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8", newline="\n")
    return review


def _parse(line: Sequence[str], columns: int) -> ReliabilityRow:
    """Read a line of the CSV.

    Raises:
        ValueError: it is not a row of so many columns.
    """
    if len(line) != columns:
        raise ValueError(f"expected {columns} values, got {len(line)}")
    former = [*line, CALIBRATED] if columns == len(_FORMER_COLUMNS) else line
    sequence, frame, object_id, reliability, calibration, name = [*former, ""][: len(_NAMED_COLUMNS)]
    if calibration not in (CALIBRATED, UNCALIBRATED):
        raise ValueError(f"expected {CALIBRATED} or {UNCALIBRATED}, got {calibration!r}")
    return ReliabilityRow(sequence, frame, int(object_id), float(reliability), calibration == CALIBRATED, name)


def _by_frame(rows: Iterable[ReliabilityRow]) -> dict[str, list[ReliabilityRow]]:
    """Return the rows by frame name; where a frame was written again, its later rows."""
    latest: dict[str, dict[int, ReliabilityRow]] = {}
    for row in rows:
        latest.setdefault(row.frame, {})[row.object_id] = row
    return {frame: list(by_object.values()) for frame, by_object in latest.items()}


def _checksum(rows: Mapping[str, Sequence[ReliabilityRow]], frames: Sequence[str]) -> bytes:
    """Return the checksum of some frames' rows; names, which a resumed run may have anew, do not count."""
    return hashlib.sha256(_lines(row for name in frames for row in rows.get(name, ())).encode()).digest()


def _lines(rows: Iterable[ReliabilityRow], *, named: bool = False) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for row in rows:
        values = (*row[:3], f"{row.reliability:.4f}", CALIBRATED if row.calibrated else UNCALIBRATED)
        if math.isnan(row.reliability):
            values = (*row[:3], "", ABSENT)
        writer.writerow((*values, row.name) if named else values)
    return text.getvalue()
