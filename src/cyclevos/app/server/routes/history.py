"""Routes of a project's history: what was done, undoing it, redoing it, and what tracking runs replaced."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from fastapi.responses import Response

from cyclevos.app.errors import ConflictError, NotFoundError
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.steps import MOST_TOLD, Moved
from cyclevos.app.projects.version_difference import difference
from cyclevos.app.server.bodies import StepBody
from cyclevos.app.server.routes.frames import Index
from cyclevos.app.server.services import Services
from cyclevos.app.server.wire import mask_response

VersionId = Annotated[int, InPath(ge=1, le=2**53)]
FrameNumber = Annotated[int, Query(ge=0, le=2**31)]


def history_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}")
    workspace, queue = services.workspace, services.queue

    def move(project: Project, back: bool) -> Moved | None:
        step = project.steps.history.next_undo if back else project.steps.history.next_redo
        if step is not None and step.tracked and queue.of(project, "track"):
            word = "undone" if back else "redone"
            raise ConflictError(f'"{step.title}" cannot be {word} during tracking.', "Wait for it or stop it.")
        return project.steps.undo() if back else project.steps.redo()

    def moved(project_id: str, back: bool) -> dict[str, Any]:
        project = workspace.get(project_id)
        with project.lock:
            done = move(project, back)
            return _answer(project, [] if done is None else [done])

    @routes.post("/undo")
    def undo(project_id: str) -> dict[str, Any]:
        return moved(project_id, back=True)

    @routes.post("/redo")
    def redo(project_id: str) -> dict[str, Any]:
        return moved(project_id, back=False)

    @routes.get("/history")
    def steps(project_id: str) -> list[dict[str, Any]]:
        return workspace.get(project_id).steps.listing()

    @routes.post("/history")
    def go_to(project_id: str, body: StepBody) -> dict[str, Any]:
        project = workspace.get(project_id)
        with project.lock:
            history = project.steps.history
            if body.step and all(step.id != body.step for step in history.steps):
                raise NotFoundError("This step is not in the history any more.", "Choose another one.")
            done: list[Moved] = []
            while (step := history.next_undo) is not None and step.id > body.step:
                done += filter(None, [move(project, back=True)])
            while (step := history.next_redo) is not None and step.id <= body.step:
                done += filter(None, [move(project, back=False)])
            return _answer(project, done)

    @routes.get("/versions")
    def versions(project_id: str) -> list[dict[str, Any]]:
        return workspace.get(project_id).steps.versions.listing()

    @routes.get("/versions/{version_id}")
    def look(project_id: str, version_id: VersionId) -> dict[str, Any]:
        return workspace.get(project_id).steps.versions.look(version_id)

    @routes.get("/versions/{version_id}/masks/{index}")
    def mask(project_id: str, version_id: VersionId, index: Index) -> Response:
        held = workspace.get(project_id).steps.versions.mask(version_id, index)
        return mask_response(held.ids, {"X-Status": held.status})

    @routes.get("/versions/{version_id}/difference")
    def compare(
        project_id: str, version_id: VersionId, first: FrameNumber = 0, last: FrameNumber | None = None
    ) -> dict[str, Any]:
        return difference(workspace.get(project_id), version_id, first, last)

    @routes.post("/versions/{version_id}")
    def bring_back(project_id: str, version_id: VersionId) -> dict[str, Any]:
        project = workspace.get(project_id)
        with project.lock:
            if queue.of(project, "track"):
                raise ConflictError("The project is being tracked.", "Wait for it or stop it, then bring it back.")
            project.steps.versions.bring_back(version_id)
            return {"order": project.next_order(), **project.steps.summary()}

    return routes


def _answer(project: Project, done: list[Moved]) -> dict[str, Any]:
    """Return the last of the steps that were undone or redone, and the frames that changed, if they are few."""
    last = done[-1].step if done else None
    frames = sorted({index for moved in done for index in moved.frames})
    told = [] if len(frames) > MOST_TOLD else [project.news_of(index, with_mask=len(frames) == 1) for index in frames]
    return {
        "step": None if last is None else last.id,
        "title": "" if last is None else last.title,
        "frame": None if last is None else last.frame,
        "frames": told,
        "everything": len(frames) > MOST_TOLD,
        "passed": [moved.step.title for moved in done if moved.passed],
        "history": {"order": project.next_order(), **project.steps.summary()},
    }
