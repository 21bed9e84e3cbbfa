"""A server over a random network, a clip to open, and a client that speaks to it as the page does."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient
from waiting import wait

import cyclevos
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.server.server import AppOptions, create_app
from cyclevos.app.work.jobs import Job
from cyclevos.errors import PromptError
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.prompts.prompts import Click, Prompts, prompts_of

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

    wait = staticmethod(wait)


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
def tracked_project(client, clip, square) -> Callable[[int], Project]:
    """Open the clip's project; its frame 0 is painted, and as many as are asked for after it are tracked."""

    def make(tracked: int) -> Project:
        made = client.http.app.services.workspace.get(client.open(clip))
        made.paint(0, square, made.mask(0).tag)
        for index in range(1, tracked + 1):
            made.track_frame(index, np.roll(square, index, axis=1), FrameResult({1: 0.1 * index}), None)
        return made

    return make


@pytest.fixture
def project(client, clip) -> str:
    """The id of the clip's project."""
    return client.open(clip)


@pytest.fixture
def opened(client, project) -> Project:
    """The clip's project itself."""
    return client.http.app.services.workspace.get(project)


@pytest.fixture
def square() -> np.ndarray:
    """The square of the first frame as object 1."""
    mask = np.zeros((24, 40), np.uint8)
    mask[6:16, 3:13] = 1
    return mask


@pytest.fixture
def cancelled_at(monkeypatch):
    """Return a context manager, inside of which every job is cancelled when it has done so many units."""
    report = Job.progress

    @contextmanager
    def stopping(units: int) -> Iterator[None]:
        def until_then(self, done, total, note=""):
            if done == units:
                self.cancel()
            report(self, done, total, note)

        with monkeypatch.context() as patch:
            patch.setattr(Job, "progress", until_then)
            yield

    return stopping


@pytest.fixture
def news_of(monkeypatch):
    """Return a function that gives a list, which fills with a project's news as pages hear them: (kind, data) each."""

    def listen(project: Project) -> list[tuple[str, dict[str, Any]]]:
        news: list[tuple[str, dict[str, Any]]] = []
        publish = project.hub.publish

        def record(kind: str, data) -> None:
            known = data() if callable(data) else data
            news.append((kind, json.loads(json.dumps(known))))
            publish(kind, known)

        monkeypatch.setattr(project.hub, "publish", record)
        return news

    return listen


@pytest.fixture
def go_on(monkeypatch) -> Iterator[threading.Event]:
    """Tracking stops after frame 4 until this is set."""
    from cyclevos.app.work.tracked_frames import TrackedFrames

    event = threading.Event()
    store = TrackedFrames.store

    def waiting(self, frame, prediction):
        store(self, frame, prediction)
        if prediction.index == 4:
            event.wait(20)

    monkeypatch.setattr(TrackedFrames, "store", waiting)
    yield event
    event.set()  # or a test that fails would hold up the server's end


class FakePrompter:
    """Says what follows from the prompts alone: squares around clicks on the object, less squares around the others.

    A box holds the object's square, one pixel inside its edges. The second candidate is wider by one pixel.
    """

    name = "fake"

    def __init__(self, reach: int = 3) -> None:
        self.reach = reach
        self.asked: list[tuple[Prompts, np.ndarray | None]] = []
        self.may_answer = threading.Event()
        self.may_answer.set()

    def __call__(self, *asked: Any) -> np.ndarray:
        return self.candidates(*asked)[0]

    def candidates(self, image, points=(), labels=None, box=None, mask=None) -> list[np.ndarray]:
        size = image.shape[:2]
        prompts = prompts_of(points, labels, box).within(size)
        if not prompts:
            raise PromptError("There is neither a point nor a box.", "Give at least one.")
        if prompts != Prompts((Click(size[1] / 2, size[0] / 2),)):  # which looks at a frame ahead of the first click
            self.asked.append((prompts, mask))
        assert self.may_answer.wait(20)
        return [self.said(size, prompts, mask, wider) for wider in (0, 1)]

    def said(self, size, prompts, mask, wider=0) -> np.ndarray:
        found = np.zeros(size, np.float32) if mask is None else mask.astype(np.float32)
        if prompts.box is not None:
            left, top, right, bottom = (round(edge) for edge in prompts.box)
            found[top + 1 - wider : bottom - 1 + wider, left + 1 - wider : right - 1 + wider] = 0.9
        for click in prompts.clicks:
            row, column = click.pixel
            reach = self.reach + wider if click.positive else self.reach - 1
            around = np.s_[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
            found[around] = 0.9 if click.positive else 0.1
        return found

    def of(self, size: tuple[int, int], *clicks: tuple[float, float, bool], mask=None, box=None, wider=0) -> np.ndarray:
        """The mask of clicks x, y, positive, bool (H,W)."""
        return self.said(size, Prompts(tuple(Click(*each) for each in clicks), box), mask, wider) > 0.5


@pytest.fixture
def prompter(monkeypatch) -> FakePrompter:
    """A prompter whose answers are known."""
    fake = FakePrompter()
    monkeypatch.setattr("cyclevos.prompts.loading.load_prompter", lambda *_, **__: fake)
    return fake


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
