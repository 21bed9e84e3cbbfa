"""The list of the projects: what is told of each without opening it, and when it was worked on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cyclevos.app.projects.covers import cover_tag, shown_frame
from cyclevos.app.projects.progress import progress
from cyclevos.app.projects.project_file import PROJECT_FILE, load_project_file, stored_text
from cyclevos.app.projects.result_log import RESULTS
from cyclevos.errors import CycleVOSError

_WORKED_ON = (PROJECT_FILE, "marks", "masks", RESULTS)


def work_stamps(folder: Path) -> tuple[int, ...]:
    """Return when each part of a project that a person or a job works on was changed, in nanoseconds since 1970.

    Opening a project changes none of them. A part that is not there counts as 0.
    """
    return tuple(_stamp(folder / name) for name in _WORKED_ON)


def summary(folder: Path, project_id: str | None = None) -> dict[str, Any]:
    """Return what the list tells of a project, as JSON values; why it cannot be opened, if so.

    Args:
        folder: of the project.
        project_id: None = the folder's name.
    """
    project_id = project_id or folder.name
    entry: dict[str, Any] = {"id": project_id, "changed": max(work_stamps(folder)) / 1e9}
    try:
        file, shown = load_project_file(folder), shown_frame(folder)
        return {
            **entry,
            "name": file.name,
            "frames": file.frames,
            "width": file.width,
            "height": file.height,
            "objects": len(file.objects),
            "marked": shown.marked,
            **progress(folder, file.absences)._asdict(),
            "cover": cover_tag(file, shown),
        }
    except CycleVOSError as error:
        name = stored_text(folder, "name")[:80] or project_id
        return {**entry, "name": name, "problem": error.problem, "remedy": error.remedy}


def _stamp(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0
