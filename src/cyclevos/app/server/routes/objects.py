"""Routes of a project's objects: adding, renaming, recolouring and deleting them."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import Response

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.project_file import ObjectInfo, ProjectFile
from cyclevos.app.server.bodies import ObjectBody
from cyclevos.app.server.services import Services

ObjectNumber = Annotated[int, InPath(ge=1, le=255)]


def object_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}/objects")
    workspace, queue = services.workspace, services.queue

    @routes.post("", status_code=201)
    def add_object(project_id: str, body: ObjectBody) -> dict[str, Any]:
        opened = workspace.get(project_id)
        with opened.lock:
            free = opened.file.free_id()
            info = ObjectInfo(id=free, name=body.name or f"object {free}")
            _describe(info, body)

            def edit(file: ProjectFile) -> None:
                file.add_objects([info])
                file.palette[free] = body.colour or file.palette[free]

            with opened.step(f"Add {info.name}"):
                opened.change(edit)
        return info.model_dump()

    @routes.patch("/{object_id}")
    def change_object(project_id: str, object_id: ObjectNumber, body: ObjectBody) -> dict[str, Any]:
        opened = workspace.get(project_id)

        def edit(file: ProjectFile) -> None:
            info = file.object(object_id)
            _describe(info, body)
            file.palette[object_id] = body.colour or file.palette[object_id]

        name = opened.file.object(object_id).name
        if body.name is None and body.colour is None:
            opened.change(edit)  # to hide or lock an object is a way of looking at it, not a step
        else:
            with opened.step(f"Recolour {name}" if body.name is None else f"Rename {name} to {body.name}"):
                opened.change(edit)
        return opened.file.object(object_id).model_dump()

    @routes.delete("/{object_id}", status_code=204)
    def delete_object(project_id: str, object_id: ObjectNumber) -> Response:
        opened = workspace.get(project_id)

        def check() -> None:
            if queue.of(opened):
                raise ConflictError("A job is at work on this project.", "Wait for it or cancel it, then delete.")

        check()
        opened.remove_object(object_id, check)
        return Response(status_code=204)

    return routes


def _describe(info: ObjectInfo, body: ObjectBody) -> None:
    info.name = body.name or info.name
    info.hidden = info.hidden if body.hidden is None else body.hidden
    info.locked = info.locked if body.locked is None else body.locked
