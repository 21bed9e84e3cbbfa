"""The manifest of many clips' results: JSON lines that are only ever appended, and whose folder they are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "manifest.jsonl"


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
