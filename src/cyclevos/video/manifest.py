"""The manifest of many clips' results: JSON lines that are only ever appended, and whose folder they are."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from cyclevos.errors import OutputError
from cyclevos.video.atomic_files import check_folder, output_errors

MANIFEST = "manifest.jsonl"
_LOCK = ".cyclevos.lock"


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Keep a folder of results to this process; the system gives it free when the process ends, however it ends.

    Raises:
        OutputError: another process writes there, or there can be no such folder.
    """
    check_folder(folder)
    with output_errors(folder / _LOCK):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise OutputError(
                f"Another cyclevos is writing to {folder}. Wait for it, stop it, or choose another output folder."
            ) from None
    try:
        yield
    finally:
        lock.release()


def append_record(path: Path, record: Mapping[str, Any]) -> None:
    """Append one record as a line, on disk when this returns; what a kill left of an earlier line is closed first.

    Raises:
        OutputError: the system refuses to write.
    """
    line = json.dumps(dict(record), ensure_ascii=False).encode() + b"\n"
    with output_errors(path), path.open("ab+", buffering=0) as file:
        if file.tell():
            file.seek(-1, os.SEEK_END)
            line = line if file.read(1) == b"\n" else b"\n" + line
        file.write(line)
        os.fsync(file.fileno())


def read_manifest(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Read a manifest.

    Returns:
        Its records, and how many lines are none. A last line that was cut off is not counted.
    """
    if not path.is_file():
        return [], 0
    records: list[dict[str, Any]] = []
    unreadable = 0
    *whole, last = path.read_bytes().decode(errors="replace").split("\n")
    for line in (*whole, last):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            records.append(record)
        elif line.strip() and line is not last:
            unreadable += 1
    return records, unreadable


def clip_records(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the record of each clip that counts, by the name of its sequence.

    That is the last one, but where its results were there already and stayed as they are: what was told of them holds.
    """
    counting: dict[str, dict[str, Any]] = {}
    for line in records:
        if line.get("kind") == "clip" and "sequence" in line:
            name = str(line["sequence"])
            if counting.get(name, {}).get("status") != "done" or not _left_alone(line):
                counting[name] = line
    return counting


def _left_alone(line: Mapping[str, Any]) -> bool:
    """Tell whether a clip's results were there before and are unchanged."""
    failed = line.get("status") == "failed"
    return line.get("earlier_results") is True if failed else line.get("segmented") == 0
