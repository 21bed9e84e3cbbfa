"""Starting the server: binds a port, makes a token where one is needed, prints the address and opens it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import webbrowser
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import FrameType
from urllib.parse import quote

import uvicorn

from cyclevos.app.projects.project import Project
from cyclevos.app.projects.project_file import PROJECT_FILE
from cyclevos.app.projects.workspace import Workspace
from cyclevos.app.server.security import is_loopback, new_token
from cyclevos.app.server.server import AppOptions, create_app
from cyclevos.errors import OutputError
from cyclevos.files.host import share_heaps

__all__ = ["AppOptions", "launch"]


def launch(
    options: AppOptions,
    video: Path | None,
    port: int,
    *,
    browser: bool,
    say: Callable[[str], object],
    deinterlace: bool = False,
) -> None:
    """Serve until the process is interrupted; weights that are not on this machine are downloaded first.

    Args:
        options: how the server runs; a token is generated where the host is not this machine itself.
        video: opened at once: a video, a folder, pattern or list of frames, or a project's folder.
        port: 0 = any that is free.
        browser: open the page.
        say: prints a line.
        deinterlace: make each frame of the video from one of its two fields.

    Raises:
        CycleVOSError: the video cannot be opened, the port cannot be bound, or the weights cannot be found or fetched.
    """
    if options.token is None and not is_loopback(options.host):
        options = replace(options, token=new_token())
    if video is not None and (video / PROJECT_FILE).is_file():
        options = replace(options, projects=video.resolve().parent)
    share_heaps()
    guard = create_app(options)
    # Port and weights come before the project: if something is wrong with them, no project is left behind.
    with _bind(options.host, port) as listening:
        guard.services.network.fetch()
        place = "" if video is None else f"?project={_open(guard.services.workspace, video, deinterlace).id}"
        name = f"[{options.host}]" if ":" in options.host else options.host
        # Browsers keep what follows the # to themselves, so the token reaches no server's log.
        secret = "" if options.token is None else f"#token={quote(options.token, safe='')}"
        address = f"http://{name}:{listening.getsockname()[1]}/{place}{secret}"
        say(f"cyclevos app: {address}")
        say("Stop it with Ctrl+C; nothing is lost.")
        if browser:
            threading.Timer(0.5, webbrowser.open, [address]).start()
        logging.getLogger("uvicorn.error").setLevel(logging.WARNING)
        config = uvicorn.Config(guard, log_config=None, access_log=False, timeout_graceful_shutdown=2)
        _Server(config, guard.services.workspace).run(sockets=[listening])


class _Server(uvicorn.Server):
    """Closes the event streams when it is asked to stop; otherwise it would wait for them."""

    def __init__(self, config: uvicorn.Config, workspace: Workspace) -> None:
        super().__init__(config)
        self._workspace = workspace
        logging.getLogger("uvicorn.error").addFilter(_is_news)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._workspace.silence()
        super().handle_exit(sig, frame)


def _is_news(record: logging.LogRecord) -> bool:
    """Return false for what uvicorn says of requests that the server's end cuts off: nobody waits for their answers."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, asyncio.CancelledError) and "timeout graceful shutdown" not in record.getMessage()


def _open(workspace: Workspace, video: Path, deinterlace: bool) -> Project:
    """Open a project's folder, the project that a video has already, or a new one."""
    if (video / PROJECT_FILE).is_file():
        return workspace.get(video.resolve().name)
    found = workspace.of_video(video, deinterlace=deinterlace)
    return found or workspace.create(video, deinterlace=deinterlace)


def _bind(host: str, port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen()  # requests that arrive before the server is up wait
    except OSError as error:
        listening.close()
        raise OutputError(
            f"The server cannot listen on {host} port {port} ({error}).",
            "If another app is running there, use that one, or choose another --port (0 = any free port).",
        ) from error
    return listening
