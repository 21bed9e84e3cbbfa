"""Routes that delete projects, and those of the deleted ones: listing, restoring, and removing them for good."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from cyclevos.app.server.services import Services


def deleted_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter()
    workspace, queue = services.workspace, services.queue

    @routes.delete("/projects/{project_id}")
    def delete(project_id: str) -> dict[str, str]:
        queue.check_idle(project_id)
        return {"deleted": workspace.delete(project_id)}

    @routes.get("/deleted")
    def deleted() -> list[dict[str, Any]]:
        return workspace.trash.listing()

    @routes.delete("/deleted", status_code=204)
    def empty() -> Response:
        workspace.trash.empty()
        return Response(status_code=204)

    @routes.post("/deleted/{entry}")
    def restore(entry: str) -> dict[str, Any]:
        return workspace.restore(entry)

    @routes.delete("/deleted/{entry}", status_code=204)
    def remove(entry: str) -> Response:
        workspace.trash.remove(entry)
        return Response(status_code=204)

    return routes
