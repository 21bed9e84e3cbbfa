"""Routes of the projects: listing, opening videos, settings, and the event stream."""

from __future__ import annotations

from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from cyclevos import __version__
from cyclevos.app.errors import AppError
from cyclevos.app.projects.adapted_weights import check_adapted
from cyclevos.app.projects.covers import cover
from cyclevos.app.projects.demos import demo_clip, demo_names
from cyclevos.app.projects.doubt import GOOD
from cyclevos.app.projects.making import making
from cyclevos.app.projects.project_file import ProjectFile
from cyclevos.app.projects.project_state import project_state
from cyclevos.app.server.bodies import ChangeBody, OpenBody
from cyclevos.app.server.services import Services
from cyclevos.app.server.uploads import receive_video
from cyclevos.app.server.wire import IfNoneMatch, Width, jpeg_response
from cyclevos.errors import VideoError
from cyclevos.exchange.formats import APP, offered
from cyclevos.naming import WHOLE_VIDEO_SUFFIXES

UPLOAD_PATH = "/api/uploads"


def project_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()
    workspace, queue = services.workspace, services.queue

    @routes.get("/server")
    def server() -> dict[str, Any]:
        return {
            "version": __version__,
            "demos": demo_names(),
            "folders": [str(folder) for folder in workspace.folders.given],
            "max_upload": services.max_upload,
            "good": GOOD,
            "widths": [*Width],
            "suffixes": sorted(WHOLE_VIDEO_SUFFIXES),
            "exports": [
                {name: getattr(each, name) for name in ("name", "label", "summary", "preselected", "purpose")}
                for each in offered(APP)
            ],
        }

    @routes.get("/projects")
    def projects() -> list[dict[str, Any]]:
        return workspace.listing()

    @routes.get("/folders")
    def folders(path: Annotated[str, Query(max_length=4096)] = "") -> dict[str, Any]:
        return workspace.folders.browse(path)

    @routes.post("/projects", status_code=201)
    def open_video(body: OpenBody) -> dict[str, Any]:
        if (body.path is None) == (body.demo is None):
            raise AppError("Expected a path or the name of a demo clip.", "Give one of the two.")
        video = demo_clip(body.demo) if body.demo is not None else workspace.folders.openable(body.path or "")
        return project_state(workspace.create(video, body.name))

    @routes.post("/uploads", status_code=201)
    async def upload(request: Request, name: Annotated[str, Query(min_length=1, max_length=255)]) -> dict[str, Any]:
        with making(workspace.projects) as folder:
            video = await receive_video(name, request.stream(), folder, services.max_upload)
            try:
                title = name.rpartition("/")[2].rpartition(".")[0]
                return await run_in_threadpool(workspace.add, video, title, move=True)
            except VideoError as error:
                problem, remedy = (text.replace(str(video), repr(name)) for text in (error.problem, error.remedy))
                raise VideoError(problem, remedy) from error

    @routes.get("/projects/{project_id}")
    def project(project_id: str) -> dict[str, Any]:
        opened = workspace.get(project_id)
        return {**project_state(opened), "jobs": [job.state() for job in queue.of(opened)]}

    @routes.patch("/projects/{project_id}")
    def change(project_id: str, body: ChangeBody) -> dict[str, Any]:
        if body.adapted:
            check_adapted(workspace.folder(project_id))
        return workspace.change(project_id, partial(_edit, body)).model_dump(include={"name", "settings", "adapted"})

    @routes.post("/projects/{project_id}/duplicate", status_code=201)
    def duplicate(project_id: str) -> dict[str, Any]:
        queue.check_idle(project_id)
        return workspace.duplicate(project_id)

    @routes.get("/projects/{project_id}/cover")
    def picture(project_id: str, if_none_match: IfNoneMatch = None) -> Response:
        data, tag = cover(workspace.folder(project_id))
        return jpeg_response(lambda: data, f'"{tag}"', if_none_match)

    @routes.get("/projects/{project_id}/events")
    def events(project_id: str) -> StreamingResponse:
        opened = workspace.get(project_id)
        return StreamingResponse(
            opened.hub.listen(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    return routes


def _edit(body: ChangeBody, file: ProjectFile) -> None:
    file.name = body.name or file.name
    file.settings = body.settings or file.settings
    file.adapted = file.adapted if body.adapted is None else body.adapted
