"""Routes of results that others made: importing masks of all frames, and reviewing the masks that are there."""

from __future__ import annotations

import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.concurrency import run_in_threadpool

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.doubt import review_list
from cyclevos.app.projects.indexing import check_read
from cyclevos.app.projects.project import Project
from cyclevos.app.server.bodies import ResultBody
from cyclevos.app.server.services import Services
from cyclevos.app.work.jobs import Job, Work
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.files.atomic import output_errors
from cyclevos.files.names import safe_name

_EXCLUSIVE = ("track", "import", "review")  # while a job of these kinds waits or works, no result is imported


def result_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}")
    workspace, queue, network = services.workspace, services.queue, services.network

    def add(project: Project, kind: str, work: Work) -> dict[str, Any]:
        check_read(project)
        with project.lock:
            if any(queue.of(project, other) for other in _EXCLUSIVE):
                raise ConflictError("This project is being worked on already.", "Wait for it or cancel it.")
            return queue.add(kind, project, work).state()

    @routes.post("/results", status_code=202)
    async def import_sent(
        request: Request,
        project_id: str,
        name: Annotated[str, Query(min_length=1, max_length=255)],
        fit: Annotated[bool, Query()] = False,
    ) -> dict[str, Any]:
        folder = Path(tempfile.mkdtemp(prefix="cyclevos-"))
        path = folder / safe_name(name, "masks")

        def start() -> dict[str, Any]:
            project = workspace.get(project_id)
            return add(project, "import", partial(_import, project, network, path, name, fit, folder))

        try:
            with output_errors(path), path.open("wb") as file:  # it may be larger than what memory has to spare
                async for chunk in request.stream():
                    file.write(chunk)
            return await run_in_threadpool(start)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

    @routes.post("/results/open", status_code=202)
    def import_there(project_id: str, body: ResultBody) -> dict[str, Any]:
        project, path = workspace.get(project_id), workspace.folders.openable(body.path)
        return add(project, "import", partial(_import, project, network, path, path.name, body.fit, None))

    @routes.get("/review")
    def review_now(project_id: str) -> list[dict[str, Any]]:
        return review_list(workspace.get(project_id))

    @routes.post("/review", status_code=202)
    def start_review(project_id: str) -> dict[str, Any]:
        project = workspace.get(project_id)
        return add(project, "review", partial(_review, project, network, project.steps.restored))

    return routes


# Imported when there is work to do: torch takes seconds to load, which opening the page should not wait for.


def _import(
    project: Project, network: NetworkHolder, path: Path, name: str, fit: bool, folder: Path | None, job: Job
) -> dict[str, Any]:
    """Import a result and review it; what was sent is removed."""
    from cyclevos.app.work.importing import import_result

    try:
        done, restored = import_result(project, path, name, job, fit=fit)
    finally:
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)
    job.result = done
    review = _review(project, network, restored, job)
    return {**done, **review, "frames": done["frames"], "reviewed": review["frames"]}


def _review(project: Project, network: NetworkHolder, restored: int, job: Job) -> dict[str, Any]:
    job.progress(0, None, "getting ready")
    from cyclevos.app.work.reviewing import review

    return review(project, network, job, restored)
