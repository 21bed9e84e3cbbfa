"""A step that is being made, on disk: what was there before it, so that a kill in its middle can be taken back.

    history/unfinished.jsonl   a line for each file, frame's result and value of project.json, as it was before the step

The first line names the last step that was kept then: if there is a later one, the step was kept.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclevos.app.projects.durable_files import check_there, saving
from cyclevos.app.projects.history import History
from cyclevos.app.projects.kept_contents import digest_of
from cyclevos.app.projects.mask_names import indices_of, is_mask_name
from cyclevos.app.projects.project_file import set_values
from cyclevos.app.projects.result_log import FrameResult, parse_result, record_of
from cyclevos.errors import CycleVOSError
from cyclevos.files.records import append_lines, read_records

if TYPE_CHECKING:
    from cyclevos.app.projects.open_folder import OpenFolder

logger = logging.getLogger(__name__)


class Unfinished:
    """What was there before the step that is being made; one thread at a time.

    Args:
        project: that the step belongs to.
        history: keeps the contents.
    """

    def __init__(self, project: OpenFolder, history: History) -> None:
        self._project, self._history = project, history
        self._path = project.folder / "history" / "unfinished.jsonl"
        self._waiting: list[dict[str, Any]] = []
        self._files = 0

    @property
    def is_pending(self) -> bool:
        """Whether a step is being made, or could not be taken back yet."""
        return self._path.exists()

    def begin(self) -> None:
        """Begin a step; one that could not be taken back before is taken back first.

        Raises:
            CycleVOSError: that cannot be done now either.
        """
        self.take_back()
        self._waiting, self._files = [{"last": self._last()}], 0

    def end(self) -> None:
        """End a step that was kept or taken back."""
        self._waiting, self._files = [], 0
        with saving(self._path.parent):
            self._path.unlink(missing_ok=True)

    def note_files(self, files: Mapping[str, str | None]) -> None:
        """Remember files of masks before they change.

        Args:
            files: digests of the contents, which the history keeps, by name in the project's folder; None = no file.

        Raises:
            UnsavedError: the disk takes no more.
        """
        self._files += len(files)
        # A stroke is one file, replaced whole: a power cut need not find these lines, as it must for more masks.
        is_needed = self._files > 1 and any(kept is not None for kept in files.values())
        self._note([{"file": name, "was": kept} for name, kept in files.items()], flush=is_needed)

    def note_rows(self, rows: Mapping[int, FrameResult]) -> None:
        """Remember results of frames before they change; raises like :meth:`note_files`."""
        self._note([{"row": index, "was": record_of(index, result)} for index, result in rows.items()])

    def note_field(self, name: str, value: Any) -> None:
        """Remember a value of project.json before it changes; raises like :meth:`note_files`."""
        self._note([{"field": name, "was": value}])

    def recover(self) -> None:
        """Take back what a kill left of a step when the project is opened; if the disk is full, the next step does."""
        try:
            self.take_back()
        except CycleVOSError as error:
            logger.warning("A step that was cut off could not be taken back yet: %s", error)

    def take_back(self) -> None:
        """Take back a step that was cut off, or could not be taken back when it failed; there may be none.

        Raises:
            CycleVOSError: that cannot be done now either.
        """
        if not self._path.exists():
            return
        records, _ = read_records(self._path)
        if records and records[0].get("last") == self._last():
            self._put_back(records[1:])
        self.end()

    def put_back(
        self, files: Mapping[Path, str | None], rows: Mapping[int, FrameResult], values: Mapping[str, Any]
    ) -> None:
        """Bring back what was there before a step, where it is not there any more, and tell the pages.

        Args:
            files: digests of what masks held; None = there was no file.
            rows: results of frames.
            values: of project.json.

        Raises:
            CycleVOSError: that cannot be done; what was put back until then stays so.
        """
        project, changed = self._project, set[int]()
        try:
            changed_files = {path: was for path, was in files.items() if digest_of(path) != was}
            project.masks.put_back(changed_files, self._history.lay)
            changed |= indices_of(changed_files)
            changed_rows = {index: row for index, row in rows.items() if project.results[index] != row}
            project.results.add_all(changed_rows)
            changed |= changed_rows.keys()
            if values:
                project.change(lambda file: set_values(file, values))
        finally:
            project.tell_frames(sorted(changed))

    def _note(self, records: list[dict[str, Any]], *, flush: bool = False) -> None:
        self._waiting += records
        if not self._files or not records:
            return  # project.json alone is replaced whole or not at all
        lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in self._waiting]
        check_there(self._project.folder)
        with saving(self._path.parent):
            append_lines(self._path, "".join(lines), flush=flush)
        self._waiting = []

    def _put_back(self, records: list[dict[str, Any]]) -> None:
        """Take back what the records of a step say that it changed."""
        names = {name: record.get("was") for record in records if is_mask_name(name := record.get("file"))}
        known = (parse_result(record["was"]) for record in records if "row" in record)
        values = {record["field"]: record["was"] for record in records if "field" in record}
        files = {self._project.folder / name: was for name, was in names.items()}
        self.put_back(files, dict(row for row in known if row is not None), values)
        logger.warning("A step that was cut off in its middle was taken back (%s).", self._project.id)

    def _last(self) -> list[Any] | None:
        """Return what tells the last step from any other, as JSON values."""
        step = self._history.next_undo
        return None if step is None else [step.id, step.time]
