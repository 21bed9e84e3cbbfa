"""Routes of the frames: pictures out, masks in and out to the pixel, accepting, importing, boxes."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Header, Query, Request
from fastapi import Path as InPath
from fastapi.responses import Response
from PIL import Image
from starlette.concurrency import run_in_threadpool

from cyclevos.app.box_mask import box_to_mask
from cyclevos.app.errors import AppError, NotFoundError
from cyclevos.app.mask_store import FrameMask
from cyclevos.app.project import Project, describe_mask
from cyclevos.app.services import Services
from cyclevos.app.wire import AcceptBody, BoxBody, pack, unpack
from cyclevos.errors import MaskError
from cyclevos.video import MaskImage, read_mask
from cyclevos.video.frames import UInt8Array

Index = Annotated[int, InPath(ge=0, le=2**31)]
_FOREVER = {"Cache-Control": "private, max-age=31536000, immutable"}
_NEVER = {"Cache-Control": "no-store"}


def frame_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}")
    workspace = services.workspace

    def opened(project_id: str, index: int) -> Project:
        project = workspace.get(project_id)
        project.check_frame(index)
        return project

    @routes.get("/frames/{index}")
    def frame(project_id: str, index: Index) -> Response:
        data = opened(project_id, index).reader.jpeg(index)
        return Response(data, media_type="image/jpeg", headers=_FOREVER)

    @routes.get("/thumbnails/{index}")
    def thumbnail(project_id: str, index: Index) -> Response:
        seen = opened(project_id, index).index
        if seen is None or index not in seen.thumbnails:
            raise NotFoundError(f"There is no thumbnail of frame {index}.", "Wait until the video is read.")
        return Response(seen.thumbnails[index], media_type="image/jpeg", headers=_FOREVER)

    @routes.get("/masks/{index}")
    def mask(project_id: str, index: Index) -> Response:
        project = opened(project_id, index)
        with project.lock:
            held = project.masks.read(index)
        return _packed(held.ids, {"ETag": f'"{held.tag}"', "X-Status": held.status})

    @routes.get("/before/{index}")
    def before(project_id: str, index: Index) -> Response:
        project = opened(project_id, index)
        with project.lock:
            ids = project.masks.read_before(index)
        if ids is None:
            raise NotFoundError(f"Frame {index} was not corrected.", "Track with correction, or choose another frame.")
        return _packed(ids, {})

    @routes.put("/masks/{index}")
    async def paint(
        request: Request, project_id: str, index: Index, if_match: Annotated[str | None, Header()] = None
    ) -> dict[str, Any]:
        project = await run_in_threadpool(opened, project_id, index)
        if if_match is None:
            raise AppError("The mask does not say which one it replaces.", "Send the tag of that one as If-Match.")
        body = await request.body()
        ids = unpack(body, request.headers.get("content-encoding"), project.masks.size)
        return describe_mask(await run_in_threadpool(project.paint, index, ids, if_match.strip('"')))

    @routes.delete("/masks/{index}")
    def forget(project_id: str, index: Index) -> dict[str, Any]:
        return describe_mask(opened(project_id, index).forget(index))

    @routes.post("/masks/{index}/import")
    async def import_mask(
        request: Request, project_id: str, index: Index, fit: Annotated[bool, Query()] = False
    ) -> dict[str, Any]:
        project = await run_in_threadpool(opened, project_id, index)
        body = await request.body()
        return describe_mask(await run_in_threadpool(_import, project, index, body, fit))

    @routes.post("/masks/{index}/demo")
    def demo_mask(project_id: str, index: Index) -> dict[str, Any]:
        project = opened(project_id, index)
        path = workspace.demo(project.source.name).with_suffix(".png")
        if index or not path.is_file():
            raise NotFoundError("Only the first frame of a demo clip has a mask that is ready.", "Paint one instead.")
        return describe_mask(project.import_mask(index, read_mask(path)))

    @routes.post("/frames/{index}/accept")
    def accept(project_id: str, index: Index, body: AcceptBody) -> dict[str, Any]:
        return describe_mask(opened(project_id, index).accept(index, body.accepted))

    @routes.post("/frames/{index}/box")
    def box(project_id: str, index: Index, body: BoxBody) -> Response:
        project = opened(project_id, index)
        height, width = project.masks.size
        right, bottom = min(body.right, width), min(body.bottom, height)
        if body.left >= right or body.top >= bottom:
            raise AppError("The box is empty.", "Draw it from one corner of the object to the opposite one.")
        found = box_to_mask(project.reader.image(index), (body.left, body.top, right, bottom))
        return _packed(found.astype(np.uint8), {"X-Width": str(right - body.left), "X-Height": str(bottom - body.top)})

    return routes


def _packed(ids: UInt8Array, headers: dict[str, str]) -> Response:
    headers = {**_NEVER, **headers, "Content-Encoding": "gzip"}
    return Response(pack(ids), media_type="application/octet-stream", headers=headers)


def _import(project: Project, index: int, body: bytes, fit: bool) -> FrameMask:
    with tempfile.TemporaryDirectory(prefix="cyclevos-") as folder:
        path = Path(folder) / "mask.png"
        path.write_bytes(body)
        try:
            image = read_mask(path, fix_mask=True)
        except MaskError as error:
            raise MaskError(str(error).replace(f"{path}: ", "").replace(str(path), "The file")) from error
    if fit and image.size != project.masks.size:
        height, width = project.masks.size
        resized = Image.fromarray(image.ids).resize((width, height), Image.Resampling.NEAREST)
        image = MaskImage(np.array(resized, dtype=np.uint8), image.palette)
    return project.import_mask(index, image)
