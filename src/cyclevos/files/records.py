"""Append-only files: one writer and one reader, so that a kill at any byte costs the line it cut and no other.

A line is whole when it ends in a line feed. The reader passes over what is not whole, the writer removes it before it
appends, and lines are dropped by writing the file anew beside the old one.
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
    """What a file of JSON lines holds.

    Attributes:
        records: its records, in their order.
        unreadable: whole lines that are no records; empty lines and a last line that was cut off are not counted.
    """

    records: list[Record]
    unreadable: int


def append_record(path: Path, record: Mapping[str, Any], *, flush: bool = True) -> int:
    """Append one record as a JSON line.

    Args:
        path: the file; it and its folder are made if need be.
        record: JSON values.
        flush: wait until the disk has it, so that a power cut cannot lose it.

    Returns:
        The byte at which the line starts.

    Raises:
        OutputError: the system refuses to write; the file is then as it was.
    """
    return append_lines(path, json.dumps(dict(record), ensure_ascii=False) + "\n", flush=flush)


def append_lines(path: Path, text: str, *, flush: bool = True) -> int:
    """Append whole lines of text.

    Args:
        path: the file; it and its folder are made if need be.
        text: one or more lines, each with its line feed.
        flush: wait until the disk has it, so that a power cut cannot lose it.

    Returns:
        The byte at which they start.

    Raises:
        OutputError: the system refuses to write; the file is then as it was.
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
    """Read a file of JSON lines, whatever it holds; a file that does not exist has no records.

    Raises:
        OSError: the file exists and the system refuses to read it.
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
    """Yield each whole line, with its line feed, and the byte at which it starts.

    Raises:
        OSError: the file exists and the system refuses to read it.
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
    """Return the JSON object that a line holds; None where it holds something else."""
    try:
        record = json.loads(line.decode())
    except (ValueError, RecursionError):
        return None
    return record if isinstance(record, dict) else None


def write_records(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write a file of JSON lines anew; a kill leaves either the old file or the new one.

    Raises:
        OutputError: the system refuses to write.
    """
    _replace(path, (json.dumps(dict(record), ensure_ascii=False).encode() + b"\n" for record in records))


def keep_records(path: Path, wanted: Callable[[Record], bool]) -> None:
    """Drop the records that are not wanted, and every line that is no record.

    A kill leaves either the old file or the new one. The file is not touched where there is nothing to drop.

    Raises:
        OutputError: the system refuses to write.
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
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.writelines(lines)
        file.flush()
        os.fsync(file.fileno())
    with output_errors(path):
        sync_folder(path.parent)


def _end_of_whole_lines(file: BinaryIO) -> int:
    """Return where the last line feed ends; 0 where there is none."""
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
    """Write to an unbuffered file, which may take less than it is given."""
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]
