"""Append-only files of JSON lines."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cyclevos.files.atomic import output_errors


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
