"""Routes of the list of projects that are tracked one after another."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from cyclevos.app.server.bodies import BatchBody
from cyclevos.app.server.services import Services


def batch_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/batch")
    batch = services.batch

    @routes.get("")
    def state() -> list[dict[str, Any]]:
        return batch.state()

    @routes.post("", status_code=202)
    def add(body: BatchBody) -> list[dict[str, Any]]:
        batch.add(body.projects, body.direction)
        return batch.state()

    @routes.delete("")
    def cancel_all() -> list[dict[str, Any]]:
        batch.cancel_all()
        return batch.state()

    @routes.delete("/{project_id}")
    def cancel(project_id: str) -> list[dict[str, Any]]:
        batch.cancel(project_id)
        return batch.state()

    return routes
