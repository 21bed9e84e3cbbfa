"""The list of projects: what it tells, covers, renaming, copying, and projects of a newer version."""

from __future__ import annotations

import io
import json
import os
import shutil

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from cyclevos.app.projects import covers, progress
from cyclevos.app.projects.demos import DEMO
from cyclevos.cli import main as command_line
from cyclevos.errors import ConfigError


def entry(client, project: str) -> dict:
    return next(each for each in client.json("GET", "/projects") if each["id"] == project)


def cover(client, project: str):
    return client.http.get(f"/api/projects/{project}/cover")


def pixels(response) -> np.ndarray:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/jpeg"
    return np.asarray(Image.open(io.BytesIO(response.content)), np.int32)


def folder_of(client, project: str):
    return client.http.app.services.workspace.projects / project


def as_it_lies(folder) -> dict:
    paths = [folder, *folder.rglob("*")]
    return {path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None) for path in paths}


def test_the_list_tells_what_was_changed_last_and_is_not_moved_by_looking(client, clip, square):
    first, second = client.open(clip), client.open(clip)
    for project, ago in ((first, 1000), (second, 2000)):
        for path in (folder_of(client, project), *folder_of(client, project).rglob("*")):
            os.utime(path, (path.stat().st_mtime - ago,) * 2)
    assert [each["id"] for each in client.json("GET", "/projects")] == [first, second]
    client.http.get(f"/api/projects/{second}/frames/3")
    assert [each["id"] for each in client.json("GET", "/projects")] == [first, second]
    client.paint(second, 4, square)
    told = client.json("GET", "/projects")
    assert [each["id"] for each in told] == [second, first]
    assert [(each["marked"], each["objects"], each["frames"]) for each in told] == [(1, 1, 10), (0, 0, 10)]
    assert [(each["tracked"], each["doubtful"]) for each in told] == [(0, 0)] * 2


def test_the_list_tells_how_many_frames_are_tracked_and_in_doubt(client, tracked_project, square, monkeypatch):
    def told() -> tuple[int, int]:
        project = entry(client, opened.id)
        return project["tracked"], project["doubtful"]

    opened = tracked_project(9)  # frame k is reliable by k/10, so the first eight are in doubt
    assert told() == (9, 8)
    assert [each["frame"] for each in client.json("GET", f"/projects/{opened.id}/review")] == [1, 3, 5, 7]
    opened.accept(3, True)
    gone = {"first": 7, "last": 9, "gone": True}
    client.json("PUT", f"/projects/{opened.id}/objects/1/gone", json=gone)
    assert told() == (9, 5)
    monkeypatch.setattr("cyclevos.app.projects.progress._SETTLED", -(10**18))  # every file counts as changed long ago
    read = progress.read_reliability
    monkeypatch.setattr(progress, "read_reliability", lambda path: asked.append(path) or read(path))
    asked: list = []
    assert [told(), told()] == [(9, 5)] * 2
    assert len(asked) == 1, "what did not change is not read again"
    with (opened.folder / "results.jsonl").open("ab") as log:
        log.write(
            b'{"frame": 1, "reliability": {"1": 0.99}, "areas": {}}\nno result\n'
            + b"[" * 10**5
            + b'\n{"frame": 2, "rel'
        )
    assert told() == (9, 4)
    (opened.folder / "results.jsonl").unlink()
    (opened.folder / "results.jsonl").mkdir()
    assert told() == (9, 0), "the list is there, whatever a disk has done to one project"


def test_a_cover_is_the_first_marked_frame_with_its_masks(client, clip, square):
    project = client.open(clip)
    plain = pixels(cover(client, project))
    assert np.abs(plain - np.asarray(Image.open(clip / "shot_000.png"), np.int32)).mean() < 12
    client.paint(project, 5, square)
    before = entry(client, project)["cover"]
    shown, frame = pixels(cover(client, project)), np.asarray(Image.open(clip / "shot_005.png"), np.int32)
    object_colour, inside = np.array([0xF4, 0x51, 0x1E]), square > 0
    expected = np.where(inside[..., None], (frame + object_colour) // 2, frame)
    away = np.abs(shown - expected).mean(axis=-1)
    assert away[8:14, 5:11].mean() < 20
    assert away[~inside].mean() < 20
    client.paint(project, 2, np.roll(square, 20, axis=1))
    assert entry(client, project)["cover"] != before
    assert np.abs(pixels(cover(client, project)) - shown).mean() > 5
    assert len([*(folder_of(client, project) / "cover").iterdir()]) == 1, "the old one is removed"


def test_listing_makes_no_cover_and_a_cover_is_made_once(client, clip, square, monkeypatch):
    project = client.open(clip)
    client.paint(project, 0, square)
    drawn, draw = [], covers._drawn
    monkeypatch.setattr(covers, "_drawn", lambda *args: drawn.append(args) or draw(*args))
    client.json("GET", "/projects")
    assert drawn == []
    first = cover(client, project)
    assert cover(client, project).content == first.content
    assert len(drawn) == 1
    headers = {"If-None-Match": first.headers["etag"]}
    assert client.http.get(f"/api/projects/{project}/cover", headers=headers).status_code == 304


def test_a_cover_that_cannot_be_kept_is_shown_all_the_same(client, clip):
    project = client.open(clip)
    (folder_of(client, project) / "cover").write_text("in the way")
    assert pixels(cover(client, project)).shape == (24, 40, 3)


def test_a_project_whose_video_is_gone_says_so_and_can_be_renamed(serve, clip):
    client = serve()
    project = client.open(clip)
    client = serve()
    shutil.move(clip, clip.with_name("elsewhere"))
    answer = cover(client, project)
    assert answer.status_code == 422
    assert "does not exist" in answer.json()["problem"]
    assert client.json("PATCH", f"/projects/{project}", json={"name": "Kept"})["name"] == "Kept"
    assert entry(client, project)["name"] == "Kept"


def test_a_project_is_renamed_for_the_pages_that_show_it_too(client, clip):
    project = client.open(clip)
    client.json("PATCH", f"/projects/{project}", json={"name": "  My car "})
    assert client.json("GET", f"/projects/{project}")["name"] == entry(client, project)["name"] == "My car"


def test_a_copy_has_the_masks_and_the_history_and_goes_its_own_way(client, clip, square):
    project = client.open(clip)
    client.paint(project, 0, square)
    client.track(project)
    other = np.roll(square, 5, axis=1)
    client.paint(project, 3, other)
    before = as_it_lies(folder_of(client, project) / "marks")
    copy = client.json("POST", f"/projects/{project}/duplicate", 201)
    assert (copy["name"], copy["marked"]) == ("clip copy", 2)
    assert client.json("POST", f"/projects/{project}/duplicate", 201)["name"] == "clip copy 2"
    for index in range(10):
        np.testing.assert_array_equal(client.mask(copy["id"], index)[0], client.mask(project, index)[0])
    kept, copied = (client.json("GET", f"/projects/{each}") for each in (project, copy["id"]))
    assert copied["results"] == kept["results"]
    client.json("POST", f"/projects/{copy['id']}/undo")
    assert not np.array_equal(client.mask(copy["id"], 3)[0], other)
    client.paint(copy["id"], 1, square)
    assert as_it_lies(folder_of(client, project) / "marks") == before


def test_a_copy_of_an_uploaded_video_outlives_the_original(client):
    video = (DEMO / "car-shadow.mp4").read_bytes()
    project = client.json("POST", "/uploads?name=Car.mp4", 201, content=video)["id"]
    copy = client.json("POST", f"/projects/{project}/duplicate", 201)["id"]
    files = [folder_of(client, each) / "source" / "video.mp4" for each in (project, copy)]
    assert files[0].samefile(files[1]), "it takes no space"
    client.json("DELETE", f"/projects/{project}")
    client.json("DELETE", "/deleted", 204)
    assert not files[0].exists()
    assert client.http.get(f"/api/projects/{copy}/frames/2").status_code == 200


@pytest.fixture
def newer(serve, clip, square):
    """A project that a newer version has written, and a server that has not opened it."""
    client = serve()
    project = client.open(clip)
    client.paint(project, 0, square)
    path = folder_of(client, project) / "project.json"
    serve.stop()

    def write(**changes) -> str:
        path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
        return project

    return write


@pytest.mark.parametrize(
    ("changes", "maker"),
    [
        ({"format": 2, "version": "7.1.0"}, "cyclevos 7.1.0 or newer"),
        ({"depth": [1], "version": "7.1.0"}, "cyclevos 7.1.0 or newer"),
        ({"format": 2, "version": ""}, "a newer version of cyclevos"),
    ],
)
def test_a_project_of_a_newer_version_is_named_refused_and_left_alone(serve, newer, changes, maker):
    project = newer(name="Tomorrow", **changes)
    client = serve()
    before = as_it_lies(folder_of(client, project))
    told = entry(client, project)
    assert told["name"] == "Tomorrow"
    assert f"was made by {maker}" in told["problem"]
    assert "Update cyclevos" in told["remedy"]
    for method, path in (
        ("GET", ""),
        ("GET", "/masks/0"),
        ("GET", "/cover"),
        ("POST", "/duplicate"),
        ("POST", "/undo"),
    ):
        answer = client.json(method, f"/projects/{project}{path}", 422)
        assert answer == {"problem": told["problem"], "remedy": told["remedy"], "kind": "NewerProjectError"}
    client.json("PATCH", f"/projects/{project}", 422, json={"name": "Today"})
    after = as_it_lies(folder_of(client, project))
    assert {path: data for path, (_, data) in after.items() if path.name != ".lock"} == {
        path: data for path, (_, data) in before.items() if path.name != ".lock"
    }


@pytest.mark.parametrize("given", ["the project", "its video"])
def test_the_command_refuses_a_project_of_a_newer_version(newer, options, clip, monkeypatch, tmp_path, given):
    project = newer(format=2, version="7.1.0")
    monkeypatch.chdir(tmp_path)
    place = options.projects / project if given == "the project" else clip
    words = ["app", str(place), "--projects", str(options.projects), "--no-browser", "--port", "0"]
    answer = CliRunner().invoke(command_line.app, words)
    assert isinstance(answer.exception, ConfigError)
    assert answer.exception.exit_code == 6
    assert "cyclevos 7.1.0 or newer" in str(answer.exception)
    assert [path.name for path in options.projects.iterdir()] == [project]


def test_a_field_that_nobody_knows_is_refused_by_name_and_stays(serve, newer):
    project = newer(depth=[1])
    client = serve()
    answer = client.json("GET", f"/projects/{project}", 422)
    assert "(depth: Extra inputs are not permitted)" in answer["problem"]
    client.json("PATCH", f"/projects/{project}", 422, json={"name": "Other"})
    assert json.loads((folder_of(client, project) / "project.json").read_text())["depth"] == [1]
