"""The story of the app in a Firefox as Debian ships it: opened, painted, tracked, reviewed, fixed, undone, exported."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from waiting import wait

import cyclevos
from cyclevos.app.projects.doubt import review_list

_PROGRAMS = ("firefox-esr", "firefox")
_SIZE = """const size = document.querySelector('#size');
    size.value = arguments[0];
    size.dispatchEvent(new Event('input'));"""
_PREFERENCES = """
user_pref("marionette.port", 0);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
"""
_KEYS = {"Enter": "\ue007", "Escape": "\ue00c", "Home": "\ue011", "Control": "\ue009"}
_PATIENCE = 60.0  # seconds
_BOX = "const box = arguments[0].getBoundingClientRect(); return [box.left, box.top, box.width, box.height];"


class Firefox:
    """One window of a Firefox, driven through its own protocol, Marionette: no driver has to be installed.

    Args:
        path: the program.
        folder: an empty folder for its profile.
    """

    def __init__(self, path: str, folder: Path) -> None:
        (folder / "user.js").write_text(_PREFERENCES)
        command = [path, "--headless", "--no-remote", "--marionette", "--profile", str(folder), "about:blank"]
        environment = {**os.environ, "HOME": str(folder), "MOZ_HEADLESS_WIDTH": "1280", "MOZ_HEADLESS_HEIGHT": "860"}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
        self._kept = ExitStack()
        try:
            self._connect(folder / "MarionetteActivePort")
        except BaseException:
            self.close()
            raise

    def _connect(self, port: Path) -> None:
        self._last = 0
        self.until(lambda: port.is_file() and bool(port.read_text()))
        address = "127.0.0.1", int(port.read_text())
        self._socket = self._kept.enter_context(socket.create_connection(address, timeout=_PATIENCE))
        self._stream = self._kept.enter_context(self._socket.makefile("rb"))
        assert self._read()["applicationType"] == "gecko"
        self.version = self.ask("WebDriver:NewSession")["capabilities"]["browserVersion"]

    def _read(self) -> Any:
        """The next message: its length, a colon, JSON."""
        length = b""
        while (byte := self._stream.read(1)) != b":":
            assert byte, "Firefox closed the connection"
            length += byte
        return json.loads(self._stream.read(int(length)))

    def ask(self, command: str, **parameters: Any) -> Any:
        self._last += 1
        message = json.dumps([0, self._last, command, parameters]).encode()
        self._socket.sendall(f"{len(message)}:".encode() + message)
        _, number, error, result = self._read()
        assert number == self._last
        if error is not None:
            raise AssertionError(f"{command}: {error['message']}")
        return result

    def close(self) -> None:
        self._kept.close()
        self._process.terminate()
        self._process.wait(_PATIENCE)

    @staticmethod
    def until(check: Callable[[], bool]) -> None:
        wait(check, _PATIENCE)

    def go(self, address: str) -> None:
        self.ask("WebDriver:Navigate", url=address)

    def script(self, text: str, *arguments: Any) -> Any:
        return self.ask("WebDriver:ExecuteScript", script=text, args=list(arguments))["value"]

    def element(self, place: str, words: str = "") -> Any:
        """Wait for an element, named as in a style sheet, that is shown and has words in it."""
        text = """return [...document.querySelectorAll(arguments[0])].find((each) =>
            each.checkVisibility() && each.textContent.includes(arguments[1])) ?? null;"""
        found: list[Any] = []
        self.until(lambda: bool(found.append(self.script(text, place, words)) or found[-1]))
        return found[-1]

    def box(self, place: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of an element."""
        left, top, width, height = self.script(_BOX, self.element(place))
        return left, top, width, height

    def click(self, place: str, words: str = "") -> None:
        left, top, width, height = self.script(_BOX, self.element(place, words))
        self.drag((left + width / 2, top + height / 2))

    def drag(self, *points: tuple[float, float]) -> None:
        """Press the mouse at the first point of the window, and release it at the last."""
        moves = [{"type": "pointerMove", "x": round(x), "y": round(y), "duration": 20} for x, y in points]
        steps = [moves[0], {"type": "pointerDown", "button": 0}, *moves[1:], {"type": "pointerUp", "button": 0}]
        mouse = {"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": steps}
        self.ask("WebDriver:PerformActions", actions=[mouse])

    def press(self, *keys: str) -> None:
        """Press keys one after the other, each alone or held with others: "Control+z"."""
        for each in keys:
            held = [_KEYS.get(key, key) for key in each.split("+")]
            down = [{"type": "keyDown", "value": key} for key in held]
            up = [{"type": "keyUp", "value": key} for key in reversed(held)]
            self.ask("WebDriver:PerformActions", actions=[{"type": "key", "id": "keys", "actions": down + up}])

    def write(self, place: str, text: str) -> None:
        self.ask("WebDriver:ElementSendKeys", id=next(iter(self.element(place).values())), text=text)


@pytest.fixture
def firefox(tmp_path) -> Iterator[Firefox]:
    path = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if path is None:
        pytest.skip("firefox-esr is not installed")
    profile = tmp_path / "profile"
    profile.mkdir()
    browser = Firefox(path, profile)
    yield browser
    browser.close()


def _on_frame(firefox: Firefox, x: float, y: float) -> tuple[float, float]:
    """Where in the window a point of the frame of 40 x 24 pixels is."""
    left, top, width, height = firefox.box("#canvas")
    scale = min((width - 16) / 40, (height - 16) / 24)
    return left + width / 2 + (x - 20) * scale, top + height / 2 + (y - 12) * scale


def _paint(firefox: Firefox, size: int, *points: tuple[float, float]) -> None:
    firefox.script(_SIZE, size)
    firefox.drag(*(_on_frame(firefox, *point) for point in points))
    firefox.element("#saved", "All saved")


def test_firefox_runs_the_story(firefox, server, clip, lively_network):
    firefox.go(server.address)
    firefox.write("#path", str(clip))
    firefox.click("#open-path button", "Open")
    firefox.element("#canvas[data-frame='0']")
    project = server.project("clip")

    _paint(firefox, 6, (5, 8), (11, 8), (11, 13), (5, 13))
    firefox.until(lambda: bool(project.masks.read(0).ids.any()))
    painted = project.masks.read(0).ids.copy()
    assert painted[8, 8] == 1
    firefox.press("t")
    firefox.element(".toast", "Tracked")
    shown = {p.index: p.ids for p in cyclevos.segment(lively_network, clip, {0: painted})}
    assert all(np.array_equal(project.masks.read(index).ids, ids) for index, ids in shown.items())

    firefox.element("#review button")
    worst = review_list(project)[0]["frame"]
    firefox.press("Home", "n")
    firefox.element(f"#canvas[data-frame='{worst}']")
    firefox.press("a")
    firefox.element("#status", "Accepted")
    firefox.press("Home")
    firefox.element("#canvas[data-frame='0']")
    _paint(firefox, 4, (30, 20), (36, 20))
    firefox.until(lambda: project.masks.read(0).ids[20, 33] == 1)
    firefox.press("Control+z")
    firefox.until(lambda: np.array_equal(project.masks.read(0).ids, painted))

    firefox.press("k")  # an edit, and what it would do
    firefox.element("#edits [role=status]", "px of this frame change")
    left, *_ = firefox.box("#edits")
    canvas = firefox.box("#canvas")
    assert left >= canvas[0] + canvas[2]
    firefox.press("Escape")

    folder = clip.parent / "masks"
    firefox.press("Control+e")
    firefox.write("#export-folder", str(folder))
    firefox.click("#dialog button", "Export")
    firefox.element(".toast", "Exported to")
    for index, ids in shown.items():
        with Image.open(next(folder.rglob(f"shot_{index:03d}.png"))) as image:
            assert np.array_equal(np.array(image), ids)
