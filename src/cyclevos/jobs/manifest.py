"""The manifest of many clips' results: JSON lines that are only ever appended."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MANIFEST = "manifest.jsonl"


def read_manifest(path: Path) -> tuple[list[dict[str, Any]], int]:
    """Read a manifest.

    Returns:
        Its records, and the number of lines that are not records. A last line that was cut off is not counted.
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
    """Return the record that describes each clip's results, by the name of its sequence.

    That is the last one, except where a later run left the results as they were: then the earlier record still holds.
    """
    counting: dict[str, dict[str, Any]] = {}
    for line in records:
        if line.get("kind") == "clip" and "sequence" in line:
            name = str(line["sequence"])
            if counting.get(name, {}).get("status") != "done" or not _left_alone(line):
                counting[name] = line
    return counting


def _left_alone(line: Mapping[str, Any]) -> bool:
    """Return whether a clip's results existed before and are unchanged."""
    failed = line.get("status") == "failed"
    return line.get("earlier_results") is True if failed else line.get("segmented") == 0
