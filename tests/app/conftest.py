"""A server over a random network, a clip to open, and a client that speaks to it as the page does."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

import cyclevos
from cyclevos.app.server import AppOptions, create_app
from cyclevos.network.stm.checkpoints import save_weights

HERE = "http://127.0.0.1:8420"


class Client:
    """Requests of one page."""

    def __init__(self, http: TestClient) -> None:
        self.http = http

    def json(self, method: str, path: str, expect: int = 200, **options):
        response = self.http.request(method, f"/api{path}", **options)
        assert response.status_code == expect, (response.status_code, response.text)
        return response.json() if response.content else None

    def open(self, path: Path) -> str:
        project = self.json("POST", "/projects", 201, json={"path": str(path)})["id"]
        self.wait(lambda: self.json("GET", f"/projects/{project}")["reading"] is None)
        return project

    def mask(self, project: str, index: int) -> tuple[np.ndarray, str]:
        response = self.http.get(f"/api/projects/{project}/masks/{index}")
        assert response.status_code == 200, response.text
        state = self.json("GET", f"/projects/{project}")
        ids = np.frombuffer(response.content, np.uint8).reshape(state["height"], state["width"])
        return ids, response.headers["etag"]

    def paint(self, project: str, index: int, ids: np.ndarray, tag: str | None = None, expect: int = 200):
        tag = tag or self.mask(project, index)[1]
        body = gzip.compress(np.ascontiguousarray(ids).tobytes())
        headers = {"If-Match": tag, "Content-Encoding": "gzip"}
        return self.json("PUT", f"/projects/{project}/masks/{index}", expect, content=body, headers=headers)

    def finish(self, job: dict) -> dict:
        """Wait for a job's end."""
        states = []

        def ended() -> bool:
            states.append(self.json("GET", f"/jobs/{job['id']}"))
            return states[-1]["status"] not in ("queued", "running")

        self.wait(ended)
        return states[-1]

    def track(self, project: str, direction: str = "forward") -> dict:
        job = self.finish(self.json("POST", f"/projects/{project}/track", 202, json={"direction": direction}))
        assert job["status"] == "done", job
        return job

    @staticmethod
    def wait(condition: Callable[[], bool], seconds: float = 30) -> None:
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, "waited too long"
            time.sleep(0.01)


@pytest.fixture(autouse=True)
def _network(lively_network, monkeypatch):
    """Every server's network, built once."""
    monkeypatch.setattr("cyclevos.network.weights.load_network", lambda *_, **__: lively_network)


@pytest.fixture
def clip(tmp_path, images) -> Path:
    """A folder of ten frames within the folder that the server may open videos from."""
    folder = tmp_path / "videos" / "clip"
    folder.mkdir(parents=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / f"shot_{index:03d}.png")
    return folder


@pytest.fixture
def options(tmp_path) -> AppOptions:
    (tmp_path / "videos").mkdir(exist_ok=True)
    return AppOptions(tmp_path / "projects", [tmp_path / "videos"])


@pytest.fixture
def serve(options) -> Iterator[Callable[..., Client]]:
    """Start servers one after the other; a new one finds what the last one left."""
    running: list[TestClient] = []

    def start(**changes) -> Client:
        stop()
        guard = create_app(replace(options, **changes))
        http = TestClient(guard, base_url=HERE, raise_server_exceptions=True)
        http.__enter__()
        running.append(http)
        return Client(http)

    def stop() -> None:
        while running:
            running.pop().__exit__(None, None, None)

    start.stop = stop
    yield start
    stop()


@pytest.fixture
def client(serve) -> Client:
    return serve()


@pytest.fixture
def square() -> np.ndarray:
    """The square of the first frame as object 1."""
    mask = np.zeros((24, 40), np.uint8)
    mask[6:16, 3:13] = 1
    return mask


class Started(NamedTuple):
    """A server's process, its address and the project of the clip it was started with."""

    process: subprocess.Popen
    address: str
    project: str


@pytest.fixture
def process(clip, tmp_path, lively_network) -> Iterator[Callable[..., Started]]:
    """Start real servers, which end with the test."""
    environment = {**os.environ, "PYTHONPATH": str(Path(cyclevos.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    save_weights(lively_network, tmp_path / "lively.safetensors")
    command = [sys.executable, "-m", "cyclevos", "app", str(clip), "--no-browser", "--dtype", "float32"]
    command += ["--projects", str(tmp_path / "projects"), "--folder", str(clip.parent)]
    command += ["--weights", str(tmp_path / "lively.safetensors"), "--port"]
    running = []

    def start(port: int = 0) -> Started:
        running.append(subprocess.Popen([*command, str(port)], env=environment, stdout=subprocess.PIPE, text=True))
        address, _, name = running[-1].stdout.readline().partition(": ")[2].strip().partition("/?project=")
        return Started(running[-1], address, name)

    yield start
    for each in running:
        each.kill()
        each.wait()
        each.stdout.close()
