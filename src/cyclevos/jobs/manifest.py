"""The manifest of many clips' results: an append-only file of records, and which of a clip's records counts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclevos.files.records import Records, read_records

MANIFEST = "manifest.jsonl"


def read_manifest(path: Path) -> Records:
    """Read a manifest: its records, and the number of complete lines that are not records."""
    return read_records(path)


def clip_records(records: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return the record that describes each clip's results, by the name of its sequence.

    That is the last one, unless a later run left the results unchanged: then the earlier record still applies.
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
