"""Routes of long-running work: tracking, adapting, heat maps, exports, and the job queue."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import FileResponse, Response

from cyclevos.app.errors import NotFoundError
from cyclevos.app.projects.indexing import check_read
from cyclevos.app.projects.listing import work_stamps
from cyclevos.app.projects.project import Project
from cyclevos.app.server.bodies import ExportBody, HeatBody, TrackBody
from cyclevos.app.server.services import Services
from cyclevos.app.work.jobs import Job
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.app.work.track_job import queue_tracking
from cyclevos.app.work.track_plan import TrackPlan

_EXPORT = re.compile(r"^[a-z0-9][a-z0-9-]*\.zip$")


def work_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()
    workspace, queue, network = services.workspace, services.queue, services.network

    @routes.post("/projects/{project_id}/track", status_code=202)
    def start_tracking(project_id: str, body: TrackBody) -> dict[str, Any]:
        plan = TrackPlan(**body.model_dump())
        return queue_tracking(queue, network, workspace.get(project_id), plan).state()

    @routes.post("/projects/{project_id}/adapt", status_code=202)
    def start_adapting(project_id: str) -> dict[str, Any]:
        project = workspace.get(project_id)
        check_read(project)
        return queue.add("adapt", project, partial(_adapt, project, network), request="once").state()

    @routes.post("/projects/{project_id}/heat", status_code=202)
    def ask_for_heat(project_id: str, body: HeatBody) -> dict[str, Any]:
        project = workspace.get(project_id)
        project.check_frame(body.frame)
        with project.lock:
            project.file.object(body.object)
            work = partial(_heat, project, network, body.frame, body.object)
            request = (body.frame, body.object, work_stamps(project.folder))
            return queue.add("heat", project, work, request).state()

    @routes.get("/projects/{project_id}/heat/{index}/{object_id}")
    def heat(
        project_id: str, index: Annotated[int, InPath(ge=0, le=2**31)], object_id: Annotated[int, InPath(ge=1, le=255)]
    ) -> Response:
        from cyclevos.app.work.heat import read_heat

        data = read_heat(workspace.get(project_id), index, object_id)
        return Response(data, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    @routes.post("/projects/{project_id}/export", status_code=202)
    def start_export(project_id: str, body: ExportBody) -> dict[str, Any]:
        project = workspace.get(project_id)
        folder: Path | None = None if body.folder is None else workspace.folders.confined(body.folder)
        with project.lock:
            request = (*body.kinds, folder, work_stamps(project.folder))
            return queue.add("export", project, partial(_export, project, body.kinds, folder), request).state()

    @routes.get("/projects/{project_id}/exports/{name}")
    def exported(project_id: str, name: str) -> Response:
        path = workspace.get(project_id).folder / "exports" / name
        if not _EXPORT.match(name) or not path.is_file():
            raise NotFoundError(f"There is no export {name!r}.", "Export again.")
        return FileResponse(path, filename=name, media_type="application/zip")

    @routes.get("/jobs/{job_id}")
    def job_state(job_id: str) -> dict[str, Any]:
        return queue.get(job_id).state()

    @routes.delete("/jobs/{job_id}")
    def cancel(job_id: str) -> dict[str, Any]:
        return queue.cancel(job_id).state()

    return routes


# Imported when there is work to do: torch takes seconds to load, which opening the page should not wait for.


def _adapt(project: Project, network: NetworkHolder, job: Job) -> dict[str, Any]:
    job.progress(0, None, "getting ready")
    from cyclevos.app.work.adapting import adapt_project

    return adapt_project(project, network, job)


def _heat(project: Project, network: NetworkHolder, index: int, object_id: int, job: Job) -> dict[str, Any]:
    job.progress(0, None, "getting ready")
    from cyclevos.app.work.heat import draw_heat

    return draw_heat(project, network, index, object_id, job)


def _export(project: Project, kinds: Sequence[str], folder: Path | None, job: Job) -> dict[str, Any]:
    job.progress(0, None, "getting ready")
    from cyclevos.app.work.export import export

    return export(project, kinds, folder, job)
