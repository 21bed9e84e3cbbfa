"""Routes of what a person says about time: the range that tracking is for, and where an object is gone."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from cyclevos.app.projects.absent_objects import set_gone
from cyclevos.app.projects.project_file import FrameRange, ProjectFile
from cyclevos.app.server.bodies import AbsenceBody
from cyclevos.app.server.routes.objects import ObjectNumber
from cyclevos.app.server.services import Services


def time_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}")
    workspace = services.workspace

    @routes.put("/range")
    def set_range(project_id: str, body: FrameRange) -> dict[str, Any]:
        project = workspace.get(project_id)
        for index in (body.first, body.last):
            if index is not None:
                project.check_frame(index)

        def edit(file: ProjectFile) -> None:
            file.range = body

        project.change(edit)
        return body.model_dump()

    @routes.put("/objects/{object_id}/gone")
    def gone(project_id: str, object_id: ObjectNumber, body: AbsenceBody) -> dict[str, Any]:
        project = workspace.get(project_id)
        by_hand = set_gone(project, object_id, body.first, body.last, gone=body.gone)
        return {"absences": [each.model_dump() for each in project.file.absences], "kept": by_hand}

    return routes
