"""Starting the app: addresses, tokens, refusals, and the project that is opened."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import uvicorn
from clips import write_video
from file_server import serving
from starlette.concurrency import run_in_threadpool
from typer.testing import CliRunner

from cyclevos.app.projects.project import Project
from cyclevos.app.server import launch as launching
from cyclevos.app.server.server import STATIC
from cyclevos.cli import main as command_line
from cyclevos.errors import MissingExtraError
from cyclevos.network import downloads
from cyclevos.network.named_weights import Download
from cyclevos.network.registry import find


@pytest.fixture
def started(monkeypatch) -> list[tuple[uvicorn.Config, list[socket.socket]]]:
    """Servers that would run; their sockets are closed instead."""
    servers = []

    def run(self, sockets):
        servers.append((self.config, [each.getsockname() for each in sockets]))
        for each in sockets:
            each.close()
        self.config.app.services.close()

    monkeypatch.setattr(uvicorn.Server, "run", run)
    return servers


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object):
        words = ["app", *map(str, arguments), "--no-browser", "--port", "0"]
        return CliRunner().invoke(command_line.app, words)

    return run


def test_this_machine_alone_is_served_without_a_token(call, started):
    answer = call()
    assert answer.exit_code == 0, answer.output
    ((config, (address,)),) = started
    assert address[0] == "127.0.0.1"
    assert f"http://127.0.0.1:{address[1]}/\n" in answer.output
    assert "token" not in answer.output
    assert config.access_log is False


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_any_other_address_demands_a_token(call, started, host):
    answers = [call("--host", host) for _ in range(2)]
    tokens = [answer.output.partition("#token=")[2].split()[0] for answer in answers]
    assert all(len(token) >= 24 for token in tokens)
    assert tokens[0] != tokens[1]
    guard = started[0][0].app
    assert guard.knows(tokens[0])
    assert not guard.knows(tokens[1])
    assert not guard.knows("")


def test_a_token_of_ones_own_has_to_be_long(call, started):
    short = call("--token", "secret")
    assert short.exception.exit_code == 6
    assert "at least 16 characters" in str(short.exception)
    assert "#token=sixteen%2Bletters%21" in call("--token", "sixteen+letters!").output


def test_a_video_is_opened_once_and_found_again(call, started, clip, tmp_path):
    pages = [call(clip).output.partition("?project=")[2].split()[0] for _ in range(2)]
    assert pages == ["clip", "clip"]
    by_folder = call(tmp_path / "cyclevos-projects" / "clip").output
    assert "?project=clip" in by_folder


def test_a_video_that_is_none_is_refused(call, started, tmp_path):
    answer = call(tmp_path / "nothing.mp4")
    assert answer.exception.exit_code == 3
    assert "does not exist" in str(answer.exception)
    assert started == []


@pytest.mark.parametrize("place", ["https://host/clip.mp4", "rtsp://me:secret@host/1", "/dev/video7"])
def test_what_shows_no_frame_twice_is_refused_before_the_server_starts(call, started, place):
    answer = call(place)
    assert answer.exception.exit_code == 3
    assert "Download or record the video" in str(answer.exception)
    assert "secret" not in str(answer.exception)
    assert started == []


def test_a_pattern_is_opened_and_found_again(call, started, clip):
    pages = [call(clip / "shot_%03d.png").output.partition("?project=")[2].split()[0] for _ in range(2)]
    assert pages[0] == pages[1]
    assert started[0][0].app.services.workspace.listing()[0]["width"] == 40


def test_a_deinterlaced_video_is_a_project_of_its_own(call, started, tmp_path, images):
    video = write_video(tmp_path / "holiday.mp4", images[:2])
    pages = [
        call(video, *options).output.partition("?project=")[2].split()[0]
        for options in ((), ("--deinterlace",), ("--deinterlace",))
    ]
    assert pages == ["holiday", "holiday-2", "holiday-2"]
    project = tmp_path / "cyclevos-projects" / "holiday-2"
    assert json.loads((project / "project.json").read_text())["deinterlace"]
    opened = Project(project)
    assert opened.source.treatment == "deinterlaced"
    opened.close()


def test_a_port_that_is_taken_is_said_and_leaves_no_project(started, options, clip):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(launching.OutputError, match="choose another --port"):
            launching.launch(options, clip, port, browser=False, say=print)
    assert not list(options.projects.glob("*/*"))


@pytest.fixture
def downloadable(monkeypatch, tmp_path):
    """A server of weights whose name is `stm-cycle-resnet18`, and an empty cache."""
    monkeypatch.setenv(downloads.CACHE_VARIABLE, str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    family, weights = find("stm-cycle-resnet18")
    with serving(b"weights" * 1000) as running:
        here = replace(weights, where=Download(running.url, "net.pth"))
        monkeypatch.setattr(type(family), "weights", tuple(here if w is weights else w for w in family.weights))
        yield running


def test_weights_are_downloaded_before_the_address_is_said(call, started, downloadable, tmp_path, monkeypatch, caplog):
    there = []
    run = uvicorn.Server.run
    monkeypatch.setattr(uvicorn.Server, "run", lambda *a, **k: (there.extend(tmp_path.rglob("net.pth")), run(*a, **k)))
    for _ in range(2):
        answer = call("--weights", "stm-cycle-resnet18")
        assert answer.exit_code == 0, answer.output
    assert len(started) == len(there) == 2
    assert there[0].stat().st_size == 7000
    assert len(downloadable.asked) == 1
    assert [line for line in caplog.messages if line.startswith("Downloading stm-cycle-resnet18 (69 MB) from")]


def test_weights_that_cannot_be_had_start_no_server_and_leave_no_project(call, started, downloadable, clip, tmp_path):
    downloadable.plan = [404]
    for weights in ("stm-cycle-resnet18", "stm-resnet50", "nowhere.pth"):
        answer = call(clip, "--weights", weights)
        assert answer.exception.exit_code == 5
        assert weights in str(answer.exception)
        assert "cyclevos app: http" not in answer.output
    assert started == []
    assert not list((tmp_path / "cyclevos-projects").iterdir())


def test_without_the_extra_the_pip_line_is_said(call, monkeypatch):
    monkeypatch.delitem(sys.modules, "cyclevos.app.server.launch")
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    answer = call()
    assert isinstance(answer.exception, MissingExtraError)
    assert "pip install 'cyclevos[app]'" in str(answer.exception)


def test_the_help_tells_what_the_defaults_are():
    text = CliRunner().invoke(command_line.app, ["app", "--help"], env={"COLUMNS": "200"}).output
    for word in ("127.0.0.1", "8420", "4096", "cyclevos-projects", "--no-browser"):
        assert word in text


def test_the_page_comes_with_the_package():
    names = {path.suffix for path in STATIC.rglob("*") if path.is_file()}
    assert {".html", ".css", ".js"} <= names


def test_the_page_does_not_wait_for_torch():
    code = "import sys, cyclevos.app.server.launch; print('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(Path(launching.__file__).parents[3])}
    answer = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "False"


def test_a_request_that_the_end_cuts_off_is_no_error(caplog):
    begun, go_on = threading.Event(), threading.Event()

    def read() -> bytes:
        begun.set()
        go_on.wait(20)
        return b""

    async def app(scope, receive, send) -> None:
        await run_in_threadpool(read)  # which nobody can interrupt, as a frame that is decoded

    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=0)
    server = launching._Server(config, SimpleNamespace(silence=lambda: None))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        running.start()
        with socket.create_connection(listening.getsockname()) as page:
            page.sendall(b"GET / HTTP/1.1\r\nHost: here\r\n\r\n")
            assert begun.wait(20)
            server.handle_exit(signal.SIGTERM, None)
            threading.Timer(0.5, go_on.set).start()
            running.join(20)
    assert not running.is_alive()
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]
