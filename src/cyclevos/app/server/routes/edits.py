"""Routes of edits: objects over time, finished edges, pieces that come up; in a frame or over a range."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import Response

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.unreadable import check_readable
from cyclevos.app.server.routes.frames import Index
from cyclevos.app.server.services import Services
from cyclevos.app.server.wire import mask_response
from cyclevos.app.work.jobs import Job
from cyclevos.app.work.wanted_edit import WantedEdit

# What edits masks is imported when it is asked for: opening the page should not wait for scipy.


def edit_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}")
    queue, opened = services.queue, services.workspace.get

    @routes.post("/frames/{index}/edit/preview")
    def look(project_id: str, index: Index, body: WantedEdit) -> Response:
        from cyclevos.app.work.range_edits import preview

        project = opened(project_id)
        return mask_response(preview(project, _within(project, body, index), index), {})

    @routes.post("/frames/{index}/edit")
    def edit(project_id: str, index: Index, body: WantedEdit) -> dict[str, Any]:
        from cyclevos.app.work.range_edits import edit_frame

        project = opened(project_id)
        done = edit_frame(project, _within(project, body, check_readable(project, index)), index)
        return {**done, "history": project.steps.news()}

    @routes.post("/edits", status_code=202)
    def start_edit(project_id: str, body: WantedEdit, dry: Annotated[bool, Query()] = False) -> dict[str, Any]:
        project = opened(project_id)
        wanted = body.within(project.frames, project.masks.size)
        with project.lock:
            wanted.objects(project.file)
            if not dry and queue.of(project, "track"):
                raise ConflictError("This project is being tracked.", "Wait for it or stop it, then edit the masks.")
            return queue.add("edit", project, partial(_edit, project, wanted, dry)).state()

    return routes


def _within(project: Project, body: WantedEdit, index: int) -> WantedEdit:
    project.check_frame(index)
    return body.in_frame(index).within(project.frames, project.masks.size)


def _edit(project: Project, wanted: WantedEdit, dry: bool, job: Job) -> dict[str, Any]:
    job.progress(0, None, "getting ready")
    from cyclevos.app.work.range_edits import edit_range

    return edit_range(project, wanted, job, dry=dry)
