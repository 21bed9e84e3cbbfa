"""A server of the app as a process of its own, for the benchmarks that measure it from outside."""

from __future__ import annotations

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
