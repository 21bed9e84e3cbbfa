"""Names of objects beside masks that cannot hold them: in a run's record."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

RUN_FILE = "run.json"
"""Name of the record in a run's folder."""
OBJECT_NAMES = "object_names"
"""Where the record holds the names, by object id as text."""


def is_run(folder: Path) -> bool:
    """Return whether a folder holds the masks of a run of ours, in which every value is an object's id."""
    return (folder / RUN_FILE).is_file()


def recorded_names(folder: Path) -> dict[int, str]:
    """Return the names in the record of the run whose masks a folder holds; empty if there are none."""
    try:
        record = json.loads((folder / RUN_FILE).read_bytes())
        return {int(object_id): str(name) for object_id, name in record[OBJECT_NAMES].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # the masks are whole without it


def as_record(names: Mapping[int, str]) -> dict[str, str]:
    """Return names by object id as a run's record holds them."""
    return {str(object_id): name for object_id, name in sorted(names.items())}
