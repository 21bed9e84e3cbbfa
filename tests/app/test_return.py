"""Coming back: whatever ended the server, the project shows all that was done."""

from __future__ import annotations

import numpy as np
import pytest

from cyclevos.app.projects.result_log import FrameResult, ResultLog


@pytest.fixture
def project(client, clip, square) -> str:
    project = client.open(clip)
    client.paint(project, 0, square)
    client.track(project)
    client.json("POST", f"/projects/{project}/frames/5/accept", json={"accepted": True})
    client.json("PATCH", f"/projects/{project}/objects/1", json={"name": "square", "colour": "#abcdef"})
    return project


def test_a_restart_shows_everything(serve, clip, square):
    client = serve()
    name = client.open(clip)
    client.paint(name, 0, square)
    client.track(name)
    client.json("POST", f"/projects/{name}/frames/5/accept", json={"accepted": True})
    client.json("PATCH", f"/projects/{name}/objects/1", json={"name": "square", "colour": "#abcdef"})
    before = client.json("GET", f"/projects/{name}")
    masks = [client.mask(name, index) for index in range(10)]
    client = serve()
    assert client.json("GET", "/projects")[0]["name"] == "clip"
    after = client.json("GET", f"/projects/{name}")
    assert after.pop("order") > before.pop("order")
    assert after.pop("told") > before.pop("told")
    assert after == before
    for index, (ids, tag) in enumerate(masks):
        now, now_tag = client.mask(name, index)
        assert np.array_equal(now, ids)
        assert now_tag == tag  # a page that stayed open may go on painting


def test_a_video_that_is_gone_is_said_and_the_others_still_open(serve, clip, tmp_path):
    client = serve()
    name = client.open(clip)
    serve.stop()
    clip.rename(tmp_path / "elsewhere")
    client = serve()
    assert "does not exist" in client.json("GET", f"/projects/{name}", 422)["problem"]
    (tmp_path / "elsewhere").rename(clip)
    client.json("GET", f"/projects/{name}")


@pytest.mark.parametrize("content", ["", "{", '{"format": 0}', "[]"])
def test_a_project_file_of_something_else_is_said(client, project, tmp_path, content):
    folder = tmp_path / "projects" / "other"
    folder.mkdir()
    (folder / "project.json").write_text(content)
    assert "cannot be read as a project" in client.json("GET", "/projects/other", 422)["problem"]
    assert len(client.json("GET", "/projects")) == 2


def test_a_log_line_that_was_cut_off_costs_that_line_alone(tmp_path):
    log = ResultLog(tmp_path / "results.jsonl")
    log.add(0, FrameResult({1: 0.5}, {1: 10}))
    log.add(1, FrameResult({1: 0.25}, {1: 20}))
    path = tmp_path / "results.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    again = ResultLog(path)
    assert again[0] == FrameResult({1: 0.5}, {1: 10})
    assert again[1] == FrameResult()
    again.add(1, FrameResult({1: 0.75}, {}))
    assert ResultLog(path)[1] == FrameResult({1: 0.75}, {})


def test_a_log_keeps_what_is_uncalibrated_and_takes_earlier_lines_for_calibrated(tmp_path):
    path = tmp_path / "results.jsonl"
    log = ResultLog(path)
    log.add(0, FrameResult({1: 0.5, 2: 0.5}, {1: 10}, calibrated=False))
    log.add(1, FrameResult({1: 0.25}, {1: 20}))
    log.remove_object(2)
    assert "calibrated" not in path.read_text().splitlines()[1], "as earlier versions wrote it"
    again = ResultLog(path)
    assert again[0] == FrameResult({1: 0.5}, {1: 10}, calibrated=False)
    assert again[1] == FrameResult({1: 0.25}, {1: 20}, calibrated=True)


def test_a_log_cut_at_any_byte_keeps_its_whole_lines(tmp_path):
    path = tmp_path / "results.jsonl"
    log = ResultLog(path)
    for index in range(3):
        log.add(index, FrameResult({1: 0.5 + index / 8}, {1: 10 + index}))
    content = path.read_bytes()
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        ResultLog(path).add(7, FrameResult({2: 0.5}, {}))
        assert [index for index, _ in ResultLog(path).items()] == [*range(content[:size].count(b"\n")), 7]


def test_a_log_with_garbage_is_read_and_cleaned(tmp_path):
    path = tmp_path / "results.jsonl"
    ResultLog(path).add(0, FrameResult({1: 0.5}, {}))
    whole = path.read_bytes()
    path.write_bytes(b"\xff\n" + whole + b'{"frame": 1e999, "reliability": {}, "areas": {}}\n{"frame": 1}\n')
    assert ResultLog(path).items() == [(0, FrameResult({1: 0.5}, {}))]
    assert path.read_bytes() == whole


def test_a_project_is_not_named_as_a_device_of_windows(client, clip):
    project = client.json("POST", "/projects", 201, json={"path": str(clip), "name": "Con"})
    assert (project["id"], project["name"]) == ("con-x", "Con")


def test_a_long_log_is_shortened_when_it_is_opened(tmp_path):
    path = tmp_path / "results.jsonl"
    log = ResultLog(path)
    for value in range(200):
        log.add(3, FrameResult({1: value / 200}, {}))
    assert ResultLog(path)[3].reliability == {1: 199 / 200}
    assert len(path.read_bytes().splitlines()) == 1
