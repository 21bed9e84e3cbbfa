"""Append-only files: one writer and one reader, so that a kill at any byte costs only the line that it cut off.

A line is complete if it ends in a line feed. The reader skips an incomplete line, the writer removes it before it
appends, and lines are dropped by writing a new file that replaces the old one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from cyclevos.files.atomic import output_errors, replacing, sync_folder

Record = dict[str, Any]


class Records(NamedTuple):
    """The contents of a file of JSON lines.

    Attributes:
        records: its records, in order.
        unreadable: number of complete lines that are not records, without empty lines.
    """

    records: list[Record]
    unreadable: int


def append_record(path: Path, record: Mapping[str, Any], *, flush: bool = True) -> int:
    """Append one record as a JSON line.

    Args:
        path: the file; it and its folder are created if needed.
        record: JSON values.
        flush: wait until the record is on disk, so that it survives a power cut.

    Returns:
        The byte at which the line starts.

    Raises:
        OutputError: the record cannot be written; the file is then unchanged.
    """
    return append_lines(path, json.dumps(dict(record), ensure_ascii=False) + "\n", flush=flush)


def append_lines(path: Path, text: str, *, flush: bool = True) -> int:
    """Append whole lines of text.

    Args:
        path: the file; it and its folder are created if needed.
        text: one or more lines, each with its line feed.
        flush: wait until the lines are on disk, so that they survive a power cut.

    Returns:
        The byte at which they start.

    Raises:
        OutputError: the lines cannot be written; the file is then unchanged.
    """
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab+", buffering=0) as file:
            start = _end_of_whole_lines(file)
            file.truncate(start)
            try:
                _write_all(file, text.encode())
                if flush:
                    os.fsync(file.fileno())
            except OSError:
                file.truncate(start)
                raise
        if flush and not start:
            sync_folder(path.parent)  # the file may be new
    return start


def read_records(path: Path) -> Records:
    """Read a file of JSON lines and skip lines that are not records; a file that does not exist has no records.

    Raises:
        OSError: the file exists but cannot be read.
    """
    records: list[Record] = []
    unreadable = 0
    for _, line in whole_lines(path):
        record = parse_record(line)
        if record is not None:
            records.append(record)
        elif line.strip():
            unreadable += 1
    return Records(records, unreadable)


def whole_lines(path: Path) -> Iterator[tuple[int, bytes]]:
    """Yield each complete line, with its line feed, and the byte at which it starts.

    Raises:
        OSError: the file exists but cannot be read.
    """
    if not path.is_file():
        return
    offset = 0
    with path.open("rb") as file:
        for line in file:
            if not line.endswith(b"\n"):
                return
            yield offset, line
            offset += len(line)


def parse_record(line: bytes) -> Record | None:
    """Return the JSON object in a line; None if the line holds anything else."""
    try:
        record = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write or replace a file of JSON lines; a kill leaves either the old file or the new one.

    Raises:
        OutputError: the file cannot be written.
    """
    _replace(path, (json.dumps(dict(record), ensure_ascii=False).encode() + b"\n" for record in records))


def keep_records(path: Path, wanted: Callable[[Record], bool]) -> None:
    """Drop the records that are not wanted, and every line that is not a record.

    A kill leaves either the old file or the new one. If there is nothing to drop, the file is not touched.

    Raises:
        OutputError: the file cannot be written.
    """
    if not path.is_file():
        return
    with output_errors(path):
        size = path.stat().st_size
        lines = [line for _, line in whole_lines(path)]
    kept = [line for line in lines if (record := parse_record(line)) is not None and wanted(record)]
    if sum(map(len, kept)) != size:
        _replace(path, kept)


def _replace(path: Path, lines: Iterable[bytes]) -> None:
    with replacing(path, flush=True) as temporary, temporary.open("wb") as file:
        file.writelines(lines)


def _end_of_whole_lines(file: BinaryIO) -> int:
    """Return the byte after the last line feed; 0 if the file has none."""
    end = int(file.seek(0, os.SEEK_END))
    while end:
        start = max(0, end - 65536)
        file.seek(start)
        found = file.read(end - start).rfind(b"\n")
        if found >= 0:
            return start + int(found) + 1
        end = start
    return 0


def _write_all(file: BinaryIO, data: bytes) -> None:
    """Write all data to an unbuffered file, which may accept less in one call."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
