"""The server: puts its parts together, answers errors with problem and remedy, and serves the page's files."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.staticfiles import StaticFiles
from starlette.exceptions import HTTPException

from cyclevos import __version__
from cyclevos.app.errors import ForbiddenError, describe, explain, status_of
from cyclevos.app.projects.workspace import Workspace
from cyclevos.app.server.bodies import SessionBody
from cyclevos.app.server.routes.batch import batch_routes
from cyclevos.app.server.routes.deleted import deleted_routes
from cyclevos.app.server.routes.edits import edit_routes
from cyclevos.app.server.routes.frames import frame_routes
from cyclevos.app.server.routes.history import history_routes
from cyclevos.app.server.routes.masks import mask_routes
from cyclevos.app.server.routes.objects import object_routes
from cyclevos.app.server.routes.projects import UPLOAD_PATH, project_routes
from cyclevos.app.server.routes.results import result_routes
from cyclevos.app.server.routes.time import time_routes
from cyclevos.app.server.routes.work import work_routes
from cyclevos.app.server.security import COOKIE, Guard
from cyclevos.app.server.services import Services
from cyclevos.app.work.batch import TrackBatch
from cyclevos.app.work.jobs import JobQueue
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.app.work.prompter_holder import PrompterHolder
from cyclevos.errors import CycleVOSError
from cyclevos.network.settings import NetworkSettings

logger = logging.getLogger(__name__)

_ROUTES = (
    project_routes,
    deleted_routes,
    batch_routes,
    object_routes,
    frame_routes,
    mask_routes,
    history_routes,
    result_routes,
    edit_routes,
    work_routes,
    time_routes,
)
STATIC = Path(__file__).resolve().parents[1] / "static"


@dataclass(frozen=True)
class AppOptions:
    """How the server is started.

    Attributes:
        projects: folder of the projects.
        folders: folders that videos may be opened from and results written to.
        host: address to bind.
        token: required of every page; None = no token.
        max_upload: bytes of a video that a page may send.
        weights: name or file of the network's weights.
        device: of the network and of the prompter.
        dtype: the same.
        prompter: name or file of the weights of the tool Point.
    """

    projects: Path
    folders: Sequence[Path] = field(default_factory=tuple)
    host: str = "127.0.0.1"
    token: str | None = None
    max_upload: int = 4 * 2**30
    weights: str = "default"
    device: str = "auto"
    dtype: str = "auto"
    prompter: str = "default"


def create_app(options: AppOptions) -> Guard:
    """Build the application.

    Raises:
        OutputError: the folder of the projects cannot be made.
    """
    workspace = Workspace(options.projects, options.folders)
    holder = NetworkHolder(NetworkSettings(options.weights, options.device, options.dtype))
    prompter = PrompterHolder(options.prompter, options.device, options.dtype)
    queue = JobQueue()
    batch = TrackBatch(workspace, queue, holder)
    services = Services(workspace, queue, holder, prompter, batch, options.max_upload)

    @asynccontextmanager
    async def running(_: FastAPI) -> AsyncIterator[None]:
        yield
        services.close()

    app = FastAPI(
        title="cyclevos",
        version=__version__,
        lifespan=running,
        docs_url=None,
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    guard = Guard(app, services, host=options.host, token=options.token, upload_path=UPLOAD_PATH)
    _handle_errors(app)

    @app.post("/api/session")
    def open_session(body: SessionBody) -> JSONResponse:
        """Exchange the token for a cookie, so that it does not appear in addresses."""
        if not guard.knows(body.token):
            raise ForbiddenError("The token is wrong.", "Open the whole address that the server printed.")
        response = JSONResponse({"ok": True})
        if guard.session:
            response.set_cookie(COOKIE, guard.session, httponly=True, samesite="strict", max_age=30 * 24 * 3600)
        return response

    for routes in _ROUTES:
        app.include_router(routes(services), prefix="/api")
    app.mount("/", StaticFiles(directory=STATIC, html=True), name="page")
    return guard


def _handle_errors(app: FastAPI) -> None:
    """Answer every error with its problem and remedy."""

    @app.exception_handler(CycleVOSError)
    def refused(_: Request, error: CycleVOSError) -> JSONResponse:
        return JSONResponse(describe(error), status_of(error))

    @app.exception_handler(RequestValidationError)
    def malformed(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"][1:])
        problem = f"{where or 'The request'} is not valid: {first['msg']}."
        content = {"problem": problem, "remedy": "Correct the value.", "kind": "RequestValidationError"}
        return JSONResponse(content, 422)

    @app.exception_handler(HTTPException)
    def unknown(_: Request, error: HTTPException) -> JSONResponse:
        remedy = "Reload the page: it may be older than the server."
        content = {"problem": f"{error.detail}.", "remedy": remedy, "kind": "HTTPException"}
        return JSONResponse(content, error.status_code, headers=error.headers)

    @app.exception_handler(Exception)
    def broken(_: Request, error: Exception) -> JSONResponse:
        logger.error("%s", error, exc_info=error)
        return JSONResponse(describe(explain(error)), 500)
