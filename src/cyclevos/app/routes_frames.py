"""Routes of the frames: pictures, thumbnails, accepting a frame, and masks from boxes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header
from fastapi import Path as InPath
from fastapi.responses import Response

from cyclevos.app.box_mask import box_to_mask
from cyclevos.app.errors import AppError, NotFoundError
from cyclevos.app.mask_store import describe_mask
from cyclevos.app.services import Services
from cyclevos.app.wire import AcceptBody, BoxBody, mask_response

Index = Annotated[int, InPath(ge=0, le=2**31)]
IfNoneMatch = Annotated[str | None, Header()]


def frame_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}")
    opened = services.workspace.get

    @routes.get("/frames/{index}")
    def frame(project_id: str, index: Index, if_none_match: IfNoneMatch = None) -> Response:
        project = opened(project_id)
        project.check_frame(index)
        return _picture(lambda: project.reader.jpeg(index), f'"{project.source_tag}"', if_none_match)

    @routes.get("/thumbnails/{index}")
    def thumbnail(project_id: str, index: Index, if_none_match: IfNoneMatch = None) -> Response:
        project = opened(project_id)
        if project.index is None or index not in project.index.thumbnails:
            raise NotFoundError(f"There is no thumbnail of frame {index}.", "Wait until the video is read.")
        data = project.index.thumbnails[index]
        return _picture(lambda: data, f'"{project.source_tag}"', if_none_match)

    @routes.post("/frames/{index}/accept")
    def accept(project_id: str, index: Index, body: AcceptBody) -> dict[str, Any]:
        return describe_mask(opened(project_id).accept(index, body.accepted))

    @routes.post("/frames/{index}/box")
    def box(project_id: str, index: Index, body: BoxBody) -> Response:
        project = opened(project_id)
        project.check_frame(index)
        height, width = project.masks.size
        right, bottom = min(body.right, width), min(body.bottom, height)
        if body.left >= right or body.top >= bottom:
            raise AppError("The box is empty.", "Draw it from one corner of the object to the opposite one.")
        found = box_to_mask(project.reader.image(index), (body.left, body.top, right, bottom))
        size = {"X-Width": str(right - body.left), "X-Height": str(bottom - body.top)}
        return mask_response(found.astype(np.uint8), size)

    return routes


def _picture(read: Callable[[], bytes], tag: str, known: str | None) -> Response:
    """Answer with a JPEG, or with 304 where the browser's copy is current."""
    headers = {"Cache-Control": "private, no-cache", "ETag": tag}
    if known == tag:
        return Response(status_code=304, headers=headers)
    return Response(read(), media_type="image/jpeg", headers=headers)
