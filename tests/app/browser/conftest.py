"""A real Chromium before a real server: pages that tests drive as a person does."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest
import uvicorn

from cyclevos.app.server.server import AppOptions, create_app

_CHROMIUM = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
_ARGUMENTS = (
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync"),
)


@pytest.fixture(scope="package")
def chromium():
    """One browser for the tests of this folder; they skip where there is none.

    It goes with the last of them: as long as it is there, its event loop counts as running, and others cannot run
    theirs.
    """
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = next(filter(None, map(shutil.which, _CHROMIUM)), None)
    if path is None:
        pytest.skip("chromium is not installed")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=_ARGUMENTS)
        yield browser
        browser.close()


class Delays:
    """Holds back requests and answers for a while drawn at random, so that what depends on their order shows."""

    def __init__(self, app, seed: int) -> None:
        self.app = app
        self.draws = random.Random(seed)

    async def __call__(self, scope, receive, send) -> None:
        async def later(message) -> None:
            if message["type"] == "http.response.start":
                await asyncio.sleep(self.draws.uniform(0, 0.2))
            await send(message)

        if scope["type"] == "http":
            await asyncio.sleep(self.draws.uniform(0, 0.2))
        await self.app(scope, receive, later)


class Server:
    """A server on a port of its own that can be stopped and started again.

    With ``CYCLEVOS_TEST_DELAYS=SEED`` in the environment its answers are delayed.
    """

    def __init__(self, options: AppOptions) -> None:
        self.options = options
        self.port = 0
        self._running: tuple[uvicorn.Server, threading.Thread] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        listening = socket.socket()
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(("127.0.0.1", self.port))
        self.port = listening.getsockname()[1]
        self.guard = create_app(self.options)
        delays = os.environ.get("CYCLEVOS_TEST_DELAYS")
        app = Delays(self.guard, int(delays)) if delays else self.guard
        config = uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        self._running = server, thread

    def stop(self) -> None:
        if self._running is not None:
            server, thread = self._running
            server.should_exit = True
            thread.join()
            self._running = None

    def project(self, name: str):
        return self.guard.services.workspace.get(name)


@pytest.fixture
def server(options) -> Iterator[Server]:
    server = Server(options)
    server.start()
    yield server
    server.stop()


@pytest.fixture
def secret_server(options) -> Iterator[Server]:
    server = Server(replace(options, token="a-token-that-is-long-enough"))
    server.start()
    yield server
    server.stop()


class Page:
    """What a person does on a page, in the frame's own pixels."""

    def __init__(self, page) -> None:
        self.page = page
        self.size = (24, 40)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where on the screen a point of the frame is while the whole frame is shown."""
        box = self.page.locator("#canvas").bounding_box()
        height, width = self.size
        scale = min((box["width"] - 16) / width, (box["height"] - 16) / height)
        left = box["x"] + (box["width"] - width * scale) / 2
        return left + x * scale, box["y"] + (box["height"] - height * scale) / 2 + y * scale

    def drag(self, *points: tuple[float, float], button: str = "left") -> None:
        mouse = self.page.mouse
        mouse.move(*self.at(*points[0]))
        mouse.down(button=button)
        for point in points[1:]:
            mouse.move(*self.at(*point))
        mouse.up(button=button)
        self.saved()

    def click(self, *points: tuple[float, float]) -> None:
        for point in points:
            self.page.mouse.click(*self.at(*point))

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def brush(self, size: int) -> None:
        self.page.locator("#size").fill(str(size))

    def saved(self) -> None:
        self.page.wait_for_timeout(30)
        self.page.locator("#saved", has_text="All saved").wait_for()

    def until(self, check: Callable[[], bool]) -> None:
        """Wait, for ten seconds; Playwright's own waiting needs eval, which the page's policy forbids."""
        for _ in range(500):
            if check():
                return
            self.page.wait_for_timeout(20)
        assert check()

    def frame(self, index: int) -> None:
        self.page.locator(f"#canvas[data-frame='{index}']").wait_for()

    def go(self, index: int) -> None:
        self.page.locator("#frame").fill(str(index))
        self.press("Enter")
        self.page.locator("#strip").focus()
        self.frame(index)

    def hold(self, path: str) -> list:
        """Keep back the server's answers at an address: (route, answer) each, as they come."""
        held: list = []
        self.page.route(f"**{path}", lambda route: held.append((route, route.fetch())))
        return held

    def tracked(self) -> None:
        self.page.locator(".toast", has_text="racked").last.wait_for()
        self.page.locator("#job").wait_for(state="hidden")
        self.dismiss()

    def dismiss(self) -> None:
        """Close all messages."""
        while self.page.locator(".toast:visible").count():
            self.page.locator(".toast:visible").get_by_role("button", name="Dismiss").click()


@pytest.fixture
def new_page(chromium) -> Iterator[Callable[[], Page]]:
    """Pages of one person; an error in any of them fails the test."""
    context = chromium.new_context(viewport={"width": 1280, "height": 720}, reduced_motion="reduce")
    context.set_default_timeout(15_000)
    problems: list[str] = []

    def make() -> Page:
        page = context.new_page()
        # Chromium begins to intercept a while after it is told to, and what a page asks for meanwhile passes a test's
        # own routes by.
        page.route("**/intercepted-from-the-start", lambda route: route.abort())
        page.on("pageerror", lambda error: problems.append(str(error)))
        return Page(page)

    yield make
    for page in context.pages:
        page.unroute_all(behavior="ignoreErrors")  # answers held back that are still on their way
    context.close()
    assert not problems


@pytest.fixture
def editor(server, clip, new_page) -> Page:
    """The clip of ten frames, open."""
    project = server.guard.services.workspace.create(clip)
    person = new_page()
    person.page.goto(f"{server.address}/?project={project.id}")
    person.frame(0)
    person.page.locator("#reading").wait_for(state="hidden")
    person.project = project
    return person


@pytest.fixture
def near_line() -> Callable[..., np.ndarray]:
    """Pixels of the small clip whose centre lies within a distance of a line: what a round brush has to mark."""

    def mark(a: tuple[float, float], b: tuple[float, float], distance: float) -> np.ndarray:
        centres = np.stack(np.meshgrid(np.arange(40) + 0.5, np.arange(24) + 0.5), axis=-1)  # (24,40,2)
        along = np.linspace(a, b, 400)
        return np.linalg.norm(centres[:, :, None] - along, axis=-1).min(axis=-1) <= distance

    return mark
