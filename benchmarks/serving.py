"""What the benchmarks of the app run: its server as a process of its own, and a browser."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple


class Served(NamedTuple):
    """A server that is up.

    Attributes:
        process: of the server.
        address: where it answers.
        project: the id of the clip's project.
    """

    process: subprocess.Popen[str]
    address: str
    project: str


def chromium() -> str:
    """Return the program of the browser; without one, end."""
    path = next(
        filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chromium-headless-shell"))),
        None,
    )
    if path is None:
        raise SystemExit("chromium is not installed")
    return path


@contextmanager
def serving(clip: Path, folder: Path) -> Iterator[Served]:
    """Run a server with a clip opened; its projects lie in a folder."""
    command = [sys.executable, "-m", "cyclevos", "app", str(clip), "--no-browser", "--port", "0"]
    command += ["--projects", str(folder / "projects"), "--folder", str(folder)]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        address, _, project = server.stdout.readline().partition(": ")[2].strip().partition("/?project=")
        yield Served(server, address, project)
    finally:
        server.terminate()
        server.wait()
