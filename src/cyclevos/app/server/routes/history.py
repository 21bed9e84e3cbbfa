"""Routes of a project's history: what was done, undoing it, redoing it, and what tracking runs replaced."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Path as InPath
from fastapi.responses import Response

from cyclevos.app.errors import ConflictError, NotFoundError
from cyclevos.app.projects.history import Step
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.restoring import Moved, overtaken
from cyclevos.app.projects.steps import MOST_TOLD
from cyclevos.app.projects.version_difference import difference
from cyclevos.app.server.bodies import StepBody
from cyclevos.app.server.routes.frames import Index
from cyclevos.app.server.services import Services
from cyclevos.app.server.wire import Width, mask_response

VersionId = Annotated[int, InPath(ge=1, le=2**53)]
FrameNumber = Annotated[int, Query(ge=0, le=2**31)]


def history_routes(services: Services) -> APIRouter:
    """Build the routes."""
    routes = APIRouter(prefix="/projects/{project_id}")
    workspace, queue = services.workspace, services.queue

    def move(project: Project, *, back: bool, expected: int | None = None) -> list[Moved]:
        def check(step: Step) -> None:
            if expected not in (None, step.id):
                raise overtaken()
            if step.tracked and queue.of(project, "track"):
                word = "undone" if back else "redone"
                raise ConflictError(f'"{step.title}" cannot be {word} during tracking.', "Wait for it or stop it.")

        moved = project.undo(check) if back else project.redo(check)
        return [] if moved is None else [moved]

    @routes.get("/undo")
    def next_steps(project_id: str) -> dict[str, Any]:
        return workspace.get(project_id).steps.news()

    @routes.post("/undo")
    def undo(project_id: str) -> dict[str, Any]:
        project = workspace.get(project_id)
        return _answer(project, move(project, back=True))

    @routes.post("/redo")
    def redo(project_id: str) -> dict[str, Any]:
        project = workspace.get(project_id)
        return _answer(project, move(project, back=False))

    @routes.get("/history")
    def steps(project_id: str) -> list[dict[str, Any]]:
        return workspace.get(project_id).steps.listing()

    @routes.post("/history")
    def go_to(project_id: str, body: StepBody) -> dict[str, Any]:
        project = workspace.get(project_id)
        steps, count = project.steps.history.past
        if body.step and all(step.id != body.step for step in steps):
            raise NotFoundError("This step is not in the history any more.", "Choose another one.")
        done = [step.id for step in steps[:count] if step.id > body.step]
        undone = [step.id for step in steps[count:] if step.id <= body.step]
        moved = [each for step in reversed(done) for each in move(project, back=True, expected=step)]
        moved += [each for step in undone for each in move(project, back=False, expected=step)]
        return _answer(project, moved)

    @routes.get("/versions")
    def versions(project_id: str) -> list[dict[str, Any]]:
        return workspace.get(project_id).steps.versions.listing()

    @routes.get("/versions/{version_id}")
    def look(project_id: str, version_id: VersionId) -> dict[str, Any]:
        return workspace.get(project_id).steps.versions.look(version_id)

    @routes.get("/versions/{version_id}/masks/{index}")
    def mask(project_id: str, version_id: VersionId, index: Index, width: Width | None = None) -> Response:
        held = workspace.get(project_id).steps.versions.mask(version_id, index)
        return mask_response(held.ids, {"X-Status": held.status}, width)

    @routes.get("/versions/{version_id}/difference")
    def compare(
        project_id: str, version_id: VersionId, first: FrameNumber = 0, last: FrameNumber | None = None
    ) -> dict[str, Any]:
        return difference(workspace.get(project_id), version_id, first, last)

    @routes.post("/versions/{version_id}")
    def bring_back(project_id: str, version_id: VersionId) -> dict[str, Any]:
        project = workspace.get(project_id)

        def check() -> None:
            if queue.of(project, "track"):
                raise ConflictError("The project is being tracked.", "Wait for it or stop it, then bring it back.")

        check()
        project.bring_back(version_id, check)
        return project.steps.news()

    return routes


def _answer(project: Project, done: list[Moved]) -> dict[str, Any]:
    """Return the last of the steps undone or redone, the frames that changed, and their news if they are few."""
    last = done[-1].step if done else None
    frames = sorted({index for moved in done for index in moved.frames})
    told = [] if len(frames) > MOST_TOLD else [project.news_of(index, with_mask=len(frames) == 1) for index in frames]
    return {
        "step": None if last is None else last.id,
        "title": "" if last is None else last.title,
        "frame": None if last is None else last.frame,
        "changed": frames,
        "frames": told,
        "everything": len(frames) > MOST_TOLD,
        "passed": [moved.step.title for moved in done if moved.passed],
        "history": project.steps.news(),
    }
