"""What a page needs to know of a project to show it."""

from __future__ import annotations

from typing import Any

from cyclevos.app.projects.absent_objects import known_results
from cyclevos.app.projects.adapted_weights import adapted_record
from cyclevos.app.projects.doubt import review_list
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import listed
from cyclevos.app.projects.unreadable import unreadable_frames


def project_state(project: Project) -> dict[str, Any]:
    """Return all that a page needs to show a project, as JSON values."""
    numbers = project.state_numbers()
    file, masks, index = project.file, project.masks, project.index
    adaptation = adapted_record(project.folder)
    return {
        "id": project.id,
        **numbers,
        **file.model_dump(exclude={"source", "format", "version", "deinterlace"}),
        "adaptation": None if adaptation is None else adaptation.told(),
        "frames": project.frames,
        "video": project.source.path.name,
        "times": [] if index is None else index.times,
        "thumbnails": [] if index is None else sorted(index.thumbnails),
        "unreadable": unreadable_frames(project),
        "pictures": project.source.frame_names is not None,
        "cut_short": project.source.cut_short,
        "reading": project.read if index is None or file.frames is None else None,
        "problem": None if project.problem is None else project.problem.problem,
        "remedy": None if project.problem is None else project.problem.remedy,
        "marks": {
            index: {"objects": sorted(mark.objects), "accepted": mark.accepted} for index, mark in masks.marks.items()
        },
        "tracked": sorted(masks.tracked),
        "corrected": sorted(masks.corrected),
        "results": {index: listed(row) for index, row in known_results(project)},
        "review": review_list(project),
        "history": project.steps.summary(),
    }
