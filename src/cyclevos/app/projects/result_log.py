"""Reliability, area and islands of every object in every tracked frame, kept in an append-only file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclevos.app.projects.durable_files import check_there, saving
from cyclevos.files.records import append_lines, read_records, write_records

if TYPE_CHECKING:
    from cyclevos.app.projects.frame_mask import FrameMask

RESULTS = "results.jsonl"
"""Name of the file in a project's folder."""


@dataclass(frozen=True)
class FrameResult:
    """What is known of one frame.

    Attributes:
        reliability: J that each object's mask is thought to have, by id.
        areas: pixels of each object that is there, by id.
        calibrated: a predictor that was fitted to the network made the reliability, not a formula.
        islands: pixels that lie away from the largest piece, by the ids of the objects that have such.
    """

    reliability: Mapping[int, float] = field(default_factory=dict)
    areas: Mapping[int, int] = field(default_factory=dict)
    calibrated: bool = True
    islands: Mapping[int, int] = field(default_factory=dict)

    def counted(self, shown: FrameMask) -> FrameResult:
        """Return the same with the areas and islands of the mask that is shown."""
        return replace(self, areas=shown.areas, islands=shown.islands)


class ResultLog:
    """Results by frame, kept in an append-only file: the last line of a frame counts.

    Args:
        path: the file, one JSON object a line.
        note: told the frames that are about to change, and what was known of them.
    """

    def __init__(self, path: Path, note: Callable[[Mapping[int, FrameResult]], None] = lambda rows: None) -> None:
        self._path, self._note = path, note
        records, unreadable = read_records(path)
        self._rows = _rows_of(records)
        # This table is replaced, never changed: readers take no lock.
        if len(records) > 2 * len(self._rows) + 100 or unreadable:
            self._rewrite()

    def __getitem__(self, index: int) -> FrameResult:
        """Return what is known of a frame, which may be nothing."""
        return self._rows.get(index, FrameResult())

    def items(self) -> list[tuple[int, FrameResult]]:
        """Return all that is known, in the frames' order."""
        return sorted(self._rows.items())

    def add(self, index: int, result: FrameResult) -> None:
        """Append a line; a power cut cannot lose it once this returns.

        Raises:
            UnsavedError: the file cannot be written.
        """
        self.add_all({index: result})

    def add_all(self, results: Mapping[int, FrameResult]) -> None:
        """Append a line for each frame, as :meth:`add` does."""
        if not results:
            return
        self._note({index: self[index] for index in results})
        check_there(self._path.parent)
        lines = [json.dumps(record_of(*row), ensure_ascii=False) + "\n" for row in results.items()]
        with saving(self._path.parent):
            append_lines(self._path, "".join(lines))
        self._rows = {**self._rows, **results}

    def remove_object(self, object_id: int) -> None:
        """Forget an object.

        Raises:
            UnsavedError: the file cannot be written.
        """
        changed = {i: row for i, row in self._rows.items() if object_id in row.reliability or object_id in row.areas}
        self._note(changed)
        self._rows = {**self._rows, **{index: without_object(row, object_id) for index, row in changed.items()}}
        self._rewrite()

    def _rewrite(self) -> None:
        check_there(self._path.parent)
        with saving(self._path.parent):
            write_records(self._path, (record_of(index, result) for index, result in self._rows.items()))


def read_reliability(path: Path) -> dict[int, dict[int, float]]:
    """Return the reliability of each object by frame index, whoever has the file open.

    Nothing is known of a file that is not there or cannot be read: opening the project says what is wrong with it. All
    lines are parsed at once, which takes a third of the time, unless one of them is none that this version writes.
    """
    try:
        data = path.read_bytes()
        rows = json.loads(b"[" + data[: data.rfind(b"\n") + 1].rstrip().replace(b"\n", b",") + b"]")
        return {row["frame"]: {int(i): float(value) for i, value in row["reliability"].items()} for row in rows}
    except OSError:
        return {}
    except (ValueError, RecursionError, OverflowError, KeyError, TypeError, AttributeError):
        return {index: dict(row.reliability) for index, row in _rows_of(read_records(path).records).items()}


def without_object(result: FrameResult, object_id: int) -> FrameResult:
    """Return what is known of a frame without one of its objects."""
    return replace(
        result,
        reliability={i: value for i, value in result.reliability.items() if i != object_id},
        areas={i: value for i, value in result.areas.items() if i != object_id},
        islands={i: value for i, value in result.islands.items() if i != object_id},
    )


def record_of(index: int, result: FrameResult) -> dict[str, Any]:
    """Return a frame's result as JSON values."""
    row: dict[str, Any] = {"frame": index, "reliability": result.reliability, "areas": result.areas}
    row |= {"islands": result.islands} if result.islands else {}
    return row if result.calibrated else {**row, "calibrated": False}


def listed(result: FrameResult) -> list[Any]:
    """Return what is known of a frame as pages take it: reliability, areas, whether calibrated, islands."""
    return [result.reliability, result.areas, result.calibrated, result.islands]


def parse_result(record: Mapping[str, Any]) -> tuple[int, FrameResult] | None:
    """Read a record; None where it is not one of a frame's results."""
    try:
        reliability = {int(i): float(value) for i, value in record["reliability"].items()}
        areas = {int(i): int(value) for i, value in record["areas"].items()}
        islands = {int(i): int(value) for i, value in record.get("islands", {}).items()}
        return int(record["frame"]), FrameResult(reliability, areas, bool(record.get("calibrated", True)), islands)
    except (ValueError, OverflowError, KeyError, TypeError, AttributeError):
        return None


def result_of(record: Mapping[str, Any]) -> FrameResult:
    """Read what is known of a frame; nothing where a record is not one of a frame's results."""
    row = parse_result(record)
    return FrameResult() if row is None else row[1]


def _rows_of(records: Iterable[Mapping[str, Any]]) -> dict[int, FrameResult]:
    return dict(row for record in records if (row := parse_result(record)) is not None)
