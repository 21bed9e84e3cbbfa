"""Nobody else's page drives the server, nothing outside the folders is reached, and no body is too large."""

from __future__ import annotations

import asyncio
import io
import itertools
import json
import logging
from dataclasses import replace

import pytest
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from cyclevos.app.projects.demos import DEMO
from cyclevos.app.projects.making import making
from cyclevos.app.server import uploads
from cyclevos.app.server.security import is_loopback
from cyclevos.app.server.server import create_app


def ask(http: TestClient, method: str = "POST", path: str = "/api/projects", **headers):
    return http.request(method, path, json={"demo": "none"} if method == "POST" else None, headers=headers)


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:8420", "127.0.0.1.evil.example", "", "[::1", "10.0.0.7"]
)
def test_another_name_for_this_machine_is_refused(client, host):
    for path in ("/", "/api/projects"):
        response = client.http.get(path, headers={"host": host})
        assert response.status_code == 403
        assert response.json()["remedy"]


@pytest.mark.parametrize("host", ["127.0.0.1:8420", "localhost:8420", "[::1]:8420"])
def test_this_machines_own_names_are_fine(client, host):
    assert client.http.get("/api/projects", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:9999", "http://localhost:8420"])
def test_another_origin_is_refused_before_anything_happens(client, origin):
    for method, path in (("POST", "/api/projects"), ("GET", "/api/projects"), ("DELETE", "/api/jobs/1")):
        assert ask(client.http, method, path, origin=origin).status_code == 403


@pytest.mark.parametrize("origin", ["http://[", "", "file://", "127.0.0.1:8420"])
def test_an_origin_that_is_no_address_is_refused(client, origin):
    assert ask(client.http, origin=origin).status_code == 403


def test_a_web_socket_is_closed(client):
    with pytest.raises(WebSocketDisconnect), client.http.websocket_connect("/api/projects"):
        pass


def test_the_cookie_is_not_the_token(serve):
    client = serve(host="0.0.0.0", token="a-long-enough-token")
    client.http.post("/api/session", json={"token": "a-long-enough-token"})
    assert "a-long-enough-token" not in dict(client.http.cookies).values()
    client.http.cookies.clear()
    cookie = {"cookie": "cyclevos_session=a-long-enough-token"}
    assert client.http.get("/api/projects", headers=cookie).status_code == 401


def test_our_own_origin_is_fine_and_a_page_elsewhere_cannot_even_embed_a_picture(client):
    assert ask(client.http, origin="http://127.0.0.1:8420").status_code == 404  # no such demo: it got through
    for site in ("cross-site", "same-site"):
        assert ask(client.http, "GET", "/api/projects", **{"sec-fetch-site": site}).status_code == 403
    assert ask(client.http, "GET", "/api/projects", **{"sec-fetch-site": "same-origin"}).status_code == 200
    assert ask(client.http, "GET", "/", **{"sec-fetch-site": "cross-site"}).status_code == 200  # a link to the page


def test_every_answer_forbids_frames_and_foreign_scripts(client):
    for path in ("/", "/api/projects", "/api/nothing"):
        headers = client.http.get(path).headers
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "default-src 'self'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_a_token_is_asked_for_and_traded_for_a_cookie(serve):
    client = serve(host="0.0.0.0", token="a-long-enough-token")
    assert client.http.get("/").status_code == 200  # the page itself says how to get in
    assert client.http.get("/api/projects").status_code == 401
    for cookie in ("cyclevos_session=wrong", "cyclevos_session=", "; ;=", "cyclevos_session"):
        assert client.http.get("/api/projects", headers={"cookie": cookie}).status_code == 401
    assert client.http.post("/api/session", json={"token": "wrong"}).status_code == 403
    response = client.http.post("/api/session", json={"token": "a-long-enough-token"})
    cookie = response.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert client.http.get("/api/projects").status_code == 200


def test_with_a_token_other_addresses_answer_but_other_names_do_not(serve):
    client = serve(host="0.0.0.0", token="a-long-enough-token")
    assert client.http.get("/", headers={"host": "10.0.0.7:8420"}).status_code == 200
    assert client.http.get("/", headers={"host": "evil.example"}).status_code == 403


@pytest.mark.parametrize(("host", "own"), [("127.8.8.8", True), ("::1", True), ("::", False), ("192.168.1.2", False)])
def test_which_addresses_are_this_machines_own(host, own):
    assert is_loopback(host) is own


@pytest.mark.parametrize("path", ["/etc/passwd", "..", "../..", "~", "clip/../../..", "nul\0byte", "x" * 4000])
def test_paths_outside_the_folders_are_refused(client, clip, path):
    assert client.json("POST", "/projects", 403, json={"path": path})["remedy"]
    assert client.http.get("/api/folders", params={"path": path}).status_code == 403


def test_a_link_out_of_the_folders_is_followed_and_then_refused(client, clip, tmp_path):
    (tmp_path / "videos" / "link").symlink_to(tmp_path / "projects")
    client.json("POST", "/projects", 403, json={"path": "link"})


@pytest.mark.parametrize("project", ["..", "%2e%2e", "clip%2f..%2f..", ".hidden", "A", "a" * 99])
def test_project_names_are_no_paths(client, project):
    assert client.http.get(f"/api/projects/{project}").status_code in (404, 200)
    assert client.http.get(f"/api/projects/{project}/masks/0").status_code == 404


def test_exports_go_nowhere_else(client, clip, tmp_path):
    project = client.open(clip)
    for folder in ("/tmp/elsewhere", str(tmp_path)):
        client.json("POST", f"/projects/{project}/export", 403, json={"kinds": ["masks"], "folder": folder})
    for name in ("..%2f..%2fproject.json", "project.json", ".zip"):
        assert client.http.get(f"/api/projects/{project}/exports/{name}").status_code == 404


def test_an_upload_is_read_and_its_video_belongs_to_the_project(client):
    video = (DEMO / "car-shadow.mp4").read_bytes()
    project = client.json("POST", "/uploads?name=My Car.mp4", 201, content=video)["id"]
    assert project == "my-car"
    state = client.json("GET", f"/projects/{project}")
    assert (state["width"], state["height"]) == (854, 480)


@pytest.mark.parametrize("name", ["list.m3u8", "a.zip", "a", "a.mp4.exe", "\0.mp4x"])
def test_an_upload_of_another_kind_is_refused(client, name):
    answer = client.http.post("/api/uploads", params={"name": name}, content=b"x")
    assert answer.status_code == 415


@pytest.mark.parametrize(
    "body", [b"", b"#EXTM3U\nfile:///etc/passwd", b"ffconcat version 1.0\nfile '/etc/passwd'", bytes(600)]
)
def test_an_upload_that_only_poses_as_a_video_is_refused_and_removed(client, tmp_path, body):
    client.json("POST", "/uploads?name=a.mp4", 415, content=body)
    assert list((tmp_path / "projects").iterdir()) == []


def test_a_broken_video_is_refused_and_removed(client, tmp_path):
    video = (DEMO / "car-shadow.mp4").read_bytes()[:20_000]
    answer = client.json("POST", "/uploads?name=a.mp4", 422, content=video)
    assert "'a.mp4' has a video stream but no frame that can be decoded" in answer["problem"]
    assert list((tmp_path / "projects").iterdir()) == []


def speak(app, method: str, path: str, chunks, **headers: str) -> tuple[int, dict]:
    """Send a body piece by piece, as it is asked for; the test client would read all of it first."""
    told = []

    async def receive():
        return {"type": "http.request", "body": next(chunks), "more_body": True}

    async def send(message):
        told.append(message)

    route, _, query = path.partition("?")
    names = {"host": "127.0.0.1:8420", **headers}
    scope = {
        "type": "http", "method": method, "path": route, "raw_path": route.encode(), "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in names.items()], "http_version": "1.1",
        "scheme": "http", "root_path": "", "server": ("127.0.0.1", 8420), "client": ("127.0.0.1", 1),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    return told[0]["status"], json.loads(b"".join(message.get("body", b"") for message in told[1:]))


def test_an_upload_is_bounded_while_it_comes(options, tmp_path):
    app = create_app(replace(options, max_upload=100_000))
    endless = (b"\0\0\0\x18ftyp" + bytes(10_000) for _ in itertools.count())
    status, answer = speak(app, "POST", "/api/uploads?name=a.mp4", endless)
    app.services.close()
    assert (status, "larger than" in answer["problem"]) == (413, True)
    assert list((tmp_path / "projects").iterdir()) == []


def test_an_upload_that_breaks_off_leaves_nothing(options, tmp_path):
    app = create_app(options)
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever the framework says to a sender that is gone
        speak(app, "POST", "/api/uploads?name=a.mp4", iter([b"\0\0\0\x18ftyp"]))
    app.services.close()
    assert list((tmp_path / "projects").iterdir()) == []


def test_an_upload_that_a_killed_server_left_is_removed_but_not_that_of_another_server(options, tmp_path):
    projects = tmp_path / "projects"
    projects.mkdir()
    with making(projects) as theirs:
        left = projects / ".making-left"
        left.mkdir()
        left.with_name(".making-left.lock").touch()
        (left / "video.mp4").touch()
        (theirs / "video.mp4").touch()
        create_app(options).services.close()
        assert {path.name for path in projects.iterdir()} == {theirs.name, f"{theirs.name}.lock"}
        assert (theirs / "video.mp4").exists()
    assert list(projects.iterdir()) == []


def test_other_bodies_are_bounded_too(client, options, monkeypatch):
    monkeypatch.setattr("cyclevos.app.server.security._MOST_BODY", 1000)
    client.json("POST", "/projects", 413, content=bytes(2000))
    app = create_app(options)
    endless = (bytes(100) for _ in itertools.count())  # a body that does not say how long it is
    assert speak(app, "POST", "/api/projects", endless)[0] == 413
    app.services.close()


def test_the_ways_videos_begin_are_known():
    heads = [path.read_bytes()[:512] for path in DEMO.glob("*.mp4")]
    assert heads
    assert all(any(magic.match(head) for magic in uploads._MAGIC) for head in heads)


def test_two_servers_do_not_share_a_project(client, clip, options):
    project = client.open(clip)
    with TestClient(create_app(options), base_url="http://127.0.0.1:8420") as other:
        answer = other.get(f"/api/projects/{project}")
    assert answer.status_code == 409
    assert "another cyclevos app" in answer.json()["problem"]


def test_a_disk_that_refuses_is_said_in_a_sentence(client, clip, square, monkeypatch):
    project = client.open(clip)

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    answer = client.paint(project, 0, square, expect=507)
    assert "Free some space" in answer["remedy"]
    monkeypatch.undo()
    assert not client.mask(project, 0)[0].any()


def test_the_log_names_no_secret(serve, caplog):
    with caplog.at_level(logging.DEBUG):
        client = serve(host="0.0.0.0", token="a-long-enough-token")
        client.http.post("/api/session", json={"token": "a-long-enough-token"})
        client.http.get("/api/projects")
    assert "a-long-enough-token" not in caplog.text


def test_the_page_asks_for_nothing_from_elsewhere(client):
    page = client.http.get("/").text
    assert "http://" not in page
    assert "https://" not in page
    assert io.StringIO(page).read().count("<script") >= 1
