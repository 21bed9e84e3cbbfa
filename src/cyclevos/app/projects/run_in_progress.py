"""What the tracking run at work has replaced so far, on disk as well, so that a person can go back after a kill.

history/running.jsonl   the run's title, then a line for each file and each frame's result, as it was before the run
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyclevos.app.projects.durable_files import saving
from cyclevos.app.projects.mask_names import is_mask_name
from cyclevos.app.projects.result_log import FrameResult, parse_result, record_of
from cyclevos.files.records import append_lines, read_records


@dataclass
class RunInProgress:
    """What a run has replaced; one thread at a time.

    Attributes:
        path: of the file.
        title: what the run does.
        files: digests of masks, by name in the project's folder; None = there was none.
        rows: results by frame index.
        marks: digests of the marks that lay over these masks, by name.
    """

    path: Path
    title: str
    files: dict[str, str | None] = field(default_factory=dict)
    rows: dict[int, FrameResult] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)

    def note_file(self, name: str, kept: str | None) -> None:
        """Note a tracked mask before it is replaced.

        Raises:
            UnsavedError: the disk takes no more.
        """
        self._note({"file": name, "was": kept})
        self.files[name] = kept

    def note_mark(self, name: str, kept: str) -> None:
        """Note a mark that lies over a mask; raises like :meth:`note_file`."""
        if name not in self.marks:
            self._note({"mark": name, "was": kept})
            self.marks[name] = kept

    def note_row(self, index: int, result: FrameResult) -> None:
        """Note a frame's result before it is replaced; raises like :meth:`note_file`."""
        if index not in self.rows:
            self._note({"row": record_of(index, result)})
            self.rows[index] = result

    def end(self) -> None:
        """Remove the file.

        Raises:
            UnsavedError: it cannot be removed.
        """
        with saving(self.path.parent):
            self.path.unlink(missing_ok=True)

    def _note(self, record: Mapping[str, Any]) -> None:
        lines = [record] if self.files or self.rows or self.marks else [{"title": self.title}, record]
        with saving(self.path.parent):
            self.path.parent.mkdir(exist_ok=True)
            append_lines(self.path, "".join(json.dumps(each, ensure_ascii=False) + "\n" for each in lines), flush=False)


def left_run(path: Path) -> RunInProgress | None:
    """Return what a run noted that was cut off by a kill; None if none was. Lines that say nothing are passed over."""
    records, _ = read_records(path)
    if not records:
        return None
    run = RunInProgress(path, str(records[0].get("title", "Track")))
    for record in records:
        was = record.get("was")
        if is_mask_name(name := record.get("file")) and (was is None or isinstance(was, str)):
            run.files[name] = was
        elif is_mask_name(name := record.get("mark")) and isinstance(was, str):
            run.marks[name] = was
        elif (row := parse_result(record.get("row") or {})) is not None:
            run.rows[row[0]] = row[1]
    return run
