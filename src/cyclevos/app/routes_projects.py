"""Routes of the projects: which there are, opening a video, objects and settings, and the stream of news."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response, StreamingResponse

from cyclevos import __version__
from cyclevos.app.errors import AppError, ConflictError
from cyclevos.app.project_file import ObjectInfo, ProjectFile
from cyclevos.app.services import Services
from cyclevos.app.uploads import receive_video
from cyclevos.app.wire import ChangeBody, ObjectBody, OpenBody
from cyclevos.app.workspace import VIDEO_SUFFIXES, demos

UPLOAD_PATH = "/api/uploads"

ObjectNumber = Annotated[int, InPath(ge=1, le=255)]


def project_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()
    workspace, queue = services.workspace, services.queue

    @routes.get("/server")
    def server() -> dict[str, Any]:
        return {
            "version": __version__,
            "demos": demos(),
            "folders": [str(folder) for folder in workspace.folders],
            "max_upload": services.max_upload,
            "suffixes": sorted(VIDEO_SUFFIXES),
        }

    @routes.get("/projects")
    def projects() -> list[dict[str, Any]]:
        return workspace.listing()

    @routes.get("/folders")
    def folders(path: Annotated[str, Query(max_length=4096)] = "") -> dict[str, Any]:
        return workspace.browse(path)

    @routes.post("/projects", status_code=201)
    def open_video(body: OpenBody) -> dict[str, Any]:
        if (body.path is None) == (body.demo is None):
            raise AppError("Expected a path or the name of a demo clip.", "Give one of the two.")
        video = workspace.demo(body.demo) if body.demo is not None else workspace.confined(body.path or "")
        return workspace.create(video, body.name).state()

    @routes.post("/uploads", status_code=201)
    async def upload(request: Request, name: Annotated[str, Query(min_length=1, max_length=255)]) -> dict[str, Any]:
        from starlette.concurrency import run_in_threadpool

        video = await receive_video(name, request.stream(), workspace.projects, services.max_upload)
        try:
            title = name.rpartition("/")[2].rpartition(".")[0]
            project = await run_in_threadpool(workspace.create, video, title, move=True)
        finally:
            video.unlink(missing_ok=True)
        return project.state()

    @routes.get("/projects/{project_id}")
    def project(project_id: str) -> dict[str, Any]:
        opened = workspace.get(project_id)
        return {**opened.state(), "jobs": [job.state() for job in queue.of(opened)]}

    @routes.patch("/projects/{project_id}")
    def change(project_id: str, body: ChangeBody) -> dict[str, Any]:
        def edit(file: ProjectFile) -> None:
            file.name = body.name or file.name
            file.settings = body.settings or file.settings

        opened = workspace.get(project_id)
        opened.change(edit)
        return opened.file.model_dump(include={"name", "settings"})

    @routes.post("/projects/{project_id}/objects", status_code=201)
    def add_object(project_id: str, body: ObjectBody) -> dict[str, Any]:
        opened = workspace.get(project_id)
        with opened.lock:
            taken = {info.id for info in opened.file.objects}
            free = next((i for i in range(1, 256) if i not in taken), None)
            if free is None:
                raise ConflictError("There are 255 objects already, as many as a mask can hold.", "Delete one first.")
            info = ObjectInfo(id=free, name=body.name or f"object {free}")
            _describe(info, body)

            def edit(file: ProjectFile) -> None:
                file.objects = sorted([*file.objects, info], key=lambda each: each.id)
                file.palette[free] = body.colour or file.palette[free]

            opened.change(edit)
        return info.model_dump()

    @routes.patch("/projects/{project_id}/objects/{object_id}")
    def change_object(project_id: str, object_id: ObjectNumber, body: ObjectBody) -> dict[str, Any]:
        opened = workspace.get(project_id)

        def edit(file: ProjectFile) -> None:
            info = file.object(object_id)
            _describe(info, body)
            file.palette[object_id] = body.colour or file.palette[object_id]

        opened.change(edit)
        return opened.file.object(object_id).model_dump()

    @routes.delete("/projects/{project_id}/objects/{object_id}", status_code=204)
    def delete_object(project_id: str, object_id: ObjectNumber) -> Response:
        opened = workspace.get(project_id)
        if queue.of(opened):
            raise ConflictError("A job is at work on this project.", "Wait for it or cancel it, then delete.")
        opened.remove_object(object_id)
        return Response(status_code=204)

    @routes.get("/projects/{project_id}/events")
    def events(project_id: str) -> StreamingResponse:
        opened = workspace.get(project_id)
        return StreamingResponse(
            opened.hub.listen(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
        )

    return routes


def _describe(info: ObjectInfo, body: ObjectBody) -> None:
    info.name = body.name or info.name
    info.hidden = info.hidden if body.hidden is None else body.hidden
    info.locked = info.locked if body.locked is None else body.locked
