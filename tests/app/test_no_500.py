"""Whatever is asked, the server answers with a result or with a sentence and a remedy; never with a 500."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path
from urllib.parse import quote

import hypothesis.strategies as st
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from PIL import Image
from schemathesis import GenerationMode
from starlette.testclient import TestClient

from cyclevos.app.server.server import AppOptions, create_app

HERE = {"host": "127.0.0.1:8420"}
QUICK = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory, images, lively_network):
    """A server with one project, and a client that raises nothing but reports what a browser would see."""
    folder = tmp_path_factory.mktemp("fuzzed")
    clip = folder / "videos" / "clip"
    clip.mkdir(parents=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(clip / f"{index:03d}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cyclevos.network.weights.load_network", lambda *_, **__: lively_network)
        app = create_app(AppOptions(folder / "projects", [folder / "videos"], max_upload=100_000))
        with TestClient(app, base_url="http://127.0.0.1:8420", raise_server_exceptions=False) as http:
            assert http.post("/api/projects", json={"path": "clip"}).status_code == 201
            yield http


@pytest.fixture(scope="module")
def operations(server) -> list[schemathesis.core.result.Result]:
    schema = schemathesis.openapi.from_dict(server.get("/api/openapi.json").json())
    schema = schema.exclude(path_regex="events$")  # which never ends
    found = [result.ok() for result in schema.get_all_operations()]
    assert len(found) > 20
    return found


def test_the_manual_lists_every_request(server):
    """docs/app-api.md: a row such as | GET, POST `/projects` |."""
    manual = (Path(__file__).parents[2] / "docs" / "app-api.md").read_text(encoding="utf-8")
    listed = {
        (method, path)
        for methods, path in re.findall(r"^\| ([A-Z, ]+) `(/[^`]*)` \|", manual, re.MULTILINE)
        for method in methods.split(", ")
    }
    paths = server.get("/api/openapi.json").json()["paths"]
    assert listed == {(method.upper(), path.removeprefix("/api")) for path in paths for method in paths[path]}


@settings(QUICK, max_examples=150)
@given(data=st.data())
def test_no_request_breaks_the_server(data, server, operations):
    """Requests as the server describes them, and requests that break its description."""
    operation = data.draw(st.sampled_from(operations))
    mode = data.draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    try:
        case = data.draw(operation.as_strategy(generation_mode=mode))
    except schemathesis.errors.SchemathesisError:
        return  # nothing in this operation can be broken
    if "project_id" in case.path_parameters:
        case.path_parameters["project_id"] = "clip"
    sent = {}
    if not isinstance(case.body, schemathesis.core.NotSet):
        content = case.body if isinstance(case.body, bytes) else json.dumps(case.body, default=str)
        sent = {"content": content, "headers": {"Content-Type": "application/json"}}
    path = quote(case.formatted_path, safe="/%")
    told(server.request(case.method, path, params=case.query or None, **sent))
    bring_back(server.app.services.workspace)


@QUICK
@given(
    path=st.sampled_from(["/masks/0", "/masks/9", "/masks/10", "/masks/99999999999", "/masks/-1", "/masks/x"]),
    body=st.binary(max_size=2000) | st.binary(max_size=2000).map(gzip.compress),
    encoding=st.sampled_from(["gzip", "br", "", "gzip, gzip"]),
    current=st.booleans(),
)
def test_no_mask_breaks_the_server(server, path, body, encoding, current):
    url = f"/api/projects/clip{path}"
    tag = server.get(url).headers.get("etag", "none") if current else '"0"'
    told(server.put(url, content=body, headers={"If-Match": tag, "Content-Encoding": encoding}))
    told(server.post(f"{url}/import", content=body))


@QUICK
@given(
    name=st.text(max_size=30) | st.text(max_size=10).map(lambda text: f"{text}.mp4"),
    head=st.sampled_from([b"", b"\0\0\0\x18ftypisom", b"GIF89a", b"\x1a\x45\xdf\xa3", b"RIFF0000AVI ", b"FLV\x01"]),
    rest=st.binary(max_size=500),
)
def test_no_upload_breaks_the_server_or_stays(server, name, head, rest):
    projects = Path(server.app.services.workspace.projects)
    told(server.post("/api/uploads", params={"name": name}, content=head + rest))
    assert [path.name for path in projects.iterdir() if not path.name.startswith(".")] == ["clip"]
    assert [*projects.glob(".making-*")] == []


@QUICK
@given(
    path=st.text(max_size=40) | st.lists(st.sampled_from(["..", ".", "/", "clip", "\0", "~", "%2e%2e"])).map("/".join)
)
def test_no_path_leads_out_or_breaks_the_server(server, path):
    told(server.get("/api/folders", params={"path": path}))
    told(server.post("/api/projects", json={"demo": path}))
    answer = server.post("/api/projects/clip/export", json={"kinds": ["masks"], "folder": path})
    told(answer)
    if answer.status_code == 202:
        server.delete(f"/api/jobs/{answer.json()['id']}")


@QUICK
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"]),
    path=st.text(max_size=40).map(lambda text: "/" + text),
    headers=st.fixed_dictionaries(
        {},
        optional={
            "host": st.sampled_from(["", "[", "[::1", "127.0.0.1:x", "127.0.0.1:8420", "a:b:c", "@"]),
            "origin": st.sampled_from(["http://[", "null", "", "http://127.0.0.1:8420", "x"]),
            "cookie": st.sampled_from([";=;", "a=b; cyclevos_session", "\xff", 'cyclevos_session="\\377"']),
            "content-length": st.sampled_from(["-1", "x", "99999999999", "²"]),
            "content-type": st.sampled_from(["application/json", "multipart/form-data", "\xff"]),
        },
    ),
)
def test_no_header_breaks_the_server(server, method, path, headers):
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    told(server.request(method, quote(path, safe="/%.:?#&="), headers=raw))


def bring_back(workspace) -> None:
    """Undo what a request may have done to the list of projects: the clip is there again, and nothing else."""
    for entry in workspace.trash.listing():
        workspace.restore(entry["id"])
    for entry in workspace.listing():
        if entry["id"] != "clip":
            workspace.delete(entry["id"])
    workspace.trash.empty()


def told(response) -> None:
    """A result, or a sentence and a remedy."""
    assert response.status_code < 500 or response.status_code == 501, (response.status_code, response.text)
    if response.status_code >= 400:
        answer = response.json()
        assert answer["problem"], answer
        assert answer["remedy"], answer
