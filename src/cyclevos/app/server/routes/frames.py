"""Routes of the frames: pictures, thumbnails, accepting a frame, and masks from prompts."""

from __future__ import annotations

import hashlib
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Path as InPath
from fastapi.responses import Response

from cyclevos.app.errors import NotFoundError
from cyclevos.app.projects.frame_mask import FrameMask, describe_mask
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.unreadable import check_readable
from cyclevos.app.server.bodies import AcceptBody, PointBody
from cyclevos.app.server.services import Services
from cyclevos.app.server.wire import IfNoneMatch, Width, bits_response, jpeg_response, read_piece
from cyclevos.app.work.pointing import Pointed, get_ready, point_at

Index = Annotated[int, InPath(ge=0, le=2**31)]


def frame_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}")
    opened = services.workspace.get

    @routes.get("/frames/{index}")
    def frame(project_id: str, index: Index, width: Width | None = None, if_none_match: IfNoneMatch = None) -> Response:
        project = opened(project_id)
        project.check_frame(index)
        return jpeg_response(lambda: project.reader.jpeg(index, width), _tag(project), if_none_match)

    @routes.get("/thumbnails/{index}")
    def thumbnail(project_id: str, index: Index, if_none_match: IfNoneMatch = None) -> Response:
        project = opened(project_id)
        if project.index is None or index not in project.index.thumbnails:
            raise NotFoundError(f"There is no thumbnail of frame {index}.", "Wait until the video is read.")
        data = project.index.thumbnails[index]
        return jpeg_response(lambda: data, _tag(project), if_none_match)

    @routes.post("/frames/{index}/accept")
    def accept(project_id: str, index: Index, body: AcceptBody) -> dict[str, Any]:
        project = opened(project_id)
        if body.accepted:
            check_readable(project, index)
        return answered(project, project.accept(index, body.accepted))

    @routes.put("/frames/{index}/point", status_code=204)
    def prepare(project_id: str, index: Index) -> Response:
        get_ready(opened(project_id), services.prompter, index)
        return Response(status_code=204)

    @routes.post("/frames/{index}/point")
    def point(project_id: str, index: Index, body: PointBody) -> Response:
        project = opened(project_id)
        mask = None if body.mask is None else read_piece(body.mask, project.masks.size)
        pointed = Pointed(body.points, body.labels, body.box, mask, body.candidate)
        found = point_at(project, services.prompter, index, pointed)
        return bits_response(found.piece, found.left, found.top, {"X-Candidates": str(found.candidates)})

    return routes


def answered(project: Project, shown: FrameMask) -> dict[str, Any]:
    """Return what a page is told of a frame that it has changed, and of what it may undo now."""
    return {**describe_mask(shown), "history": project.steps.news()}


def _tag(project: Project) -> str:
    """Return the ETag of a project's frames, which follows from the video's path and modification time."""
    place = project.source.path.resolve()
    digest = hashlib.sha256(f"{place} {place.stat().st_mtime_ns}".encode()).hexdigest()
    return f'"{digest[:16]}"'
