"""Routes of the masks: reading and painting them, masks before correction, imports."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from cyclevos.app.errors import AppError, NotFoundError
from cyclevos.app.projects.demos import demo_clip
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.unreadable import check_readable
from cyclevos.app.server.routes.frames import Index, answered
from cyclevos.app.server.services import Services
from cyclevos.app.server.wire import Width, mask_response, unpack
from cyclevos.app.work.declared_sizes import check_declared
from cyclevos.errors import MaskError
from cyclevos.naming import size_text
from cyclevos.pictures import mask_notes
from cyclevos.pictures.fitting import is_on_its_side, resized
from cyclevos.pictures.mask_files import read_mask


def mask_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}")
    opened = services.workspace.get

    @routes.get("/masks/{index}")
    def mask(project_id: str, index: Index, width: Width | None = None) -> Response:
        held = opened(project_id).mask(index)
        return mask_response(held.ids, {"ETag": f'"{held.tag}"', "X-Status": held.status}, width)

    @routes.get("/before/{index}")
    def before(project_id: str, index: Index, width: Width | None = None) -> Response:
        ids = opened(project_id).mask_before(index)
        if ids is None:
            raise NotFoundError(f"Frame {index} was not corrected.", "Track with correction, or choose another frame.")
        return mask_response(ids, {}, width)

    @routes.put("/masks/{index}")
    async def paint(
        request: Request,
        project_id: str,
        index: Index,
        if_match: Annotated[str | None, Header()] = None,
        title: Annotated[str, Query(min_length=1, max_length=160)] = "Paint",
        amend: Annotated[int, Query(ge=0)] = 0,
    ) -> dict[str, Any]:
        if if_match is None:
            raise AppError("The mask does not say which one it replaces.", "Send its tag as If-Match.")
        body, encoding, tag = await request.body(), request.headers.get("content-encoding"), if_match.strip('"')

        def work() -> dict[str, Any]:
            project = opened(project_id)
            ids = unpack(body, encoding, project.masks.size)
            check_readable(project, index)
            with project.lock:
                with project.step(title, frame=index, amend=amend, always=True):
                    shown = project.paint(index, ids, tag)
                return answered(project, shown)

        return await run_in_threadpool(work)

    @routes.delete("/masks/{index}")
    def forget(project_id: str, index: Index) -> dict[str, Any]:
        project = opened(project_id)
        return answered(project, project.forget(index))

    @routes.post("/masks/{index}/import")
    async def import_mask(
        request: Request, project_id: str, index: Index, fit: Annotated[bool, Query()] = False
    ) -> dict[str, Any]:
        body = await request.body()
        return await run_in_threadpool(lambda: _import(opened(project_id), index, body, fit))

    @routes.post("/masks/{index}/demo")
    def demo_mask(project_id: str, index: Index) -> dict[str, Any]:
        project = opened(project_id)
        path = demo_clip(project.source.name).with_suffix(".png")
        if index or not path.is_file():
            raise NotFoundError("Only the first frame of a demo clip comes with a mask.", "Paint one instead.")
        return answered(project, project.import_mask(index, read_mask(path)))

    return routes


def _import(project: Project, index: int, body: bytes, fit: bool) -> dict[str, Any]:
    """Import a mask; the answer also holds notes about how it was read."""
    check_readable(project, index)
    with tempfile.TemporaryDirectory(prefix="cyclevos-") as folder:
        path = Path(folder) / "mask.png"
        path.write_bytes(body)
        check_declared(path, project.masks.size, fit=fit)
        try:
            image = read_mask(path, fix_mask=True)
        except MaskError as error:
            problem = error.problem.replace(f"{path}: ", "").replace(str(path), "The file")
            raise MaskError(problem, error.remedy.replace(str(path), "the file")) from error
    if fit and is_on_its_side(image.size, project.masks.size):
        raise MaskError(
            f"The mask is {size_text(image.size)} but the video is {size_text(project.masks.size)} (width x height): "
            "its sides are swapped, and resizing would distort it.",
            "Turn it by 90 degrees, or export it again as the frames are displayed.",
        )
    if fit and image.size != project.masks.size:
        image = resized(image, project.masks.size)
    if all(value == str(label) for value, label in image.found.items()):
        image = replace(image, found={})  # the ids are as they stand, which is worth no word
    notes = [f"{text[0].upper()}{text[1:]}." for text in mask_notes.texts(image)]
    return {**answered(project, project.import_mask(index, image)), "notes": notes}
