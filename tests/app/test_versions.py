"""Looking at what a tracking run replaced, and comparing it with what is shown now."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cyclevos.app.projects import history, version_difference
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.projects.run_in_progress import RunInProgress
from cyclevos.app.projects.versions import Versions


@pytest.fixture
def ask(client, project):
    """Ask for a part of a version."""
    return lambda path, expect=200, **query: client.json(
        "GET", f"/projects/{project}/versions/{path}", expect, params=query
    )


@pytest.fixture
def mask_of(client, project, square):
    """The mask of a frame in a version."""

    def read(version: int, index: int) -> np.ndarray:
        response = client.http.get(f"/api/projects/{project}/versions/{version}/masks/{index}")
        assert response.status_code == 200, response.text
        return np.frombuffer(response.content, np.uint8).reshape(square.shape)

    return read


def run(opened: Project, masks: dict[int, np.ndarray], reliability: float = 0.5) -> int:
    """Track, with a known result; return the version that holds what was there before."""
    with opened.steps.versions.run("Track forward"):
        for index, ids in masks.items():
            opened.track_frame(index, ids, FrameResult({1: reliability}), None)
    return opened.steps.versions.listing()[-1]["id"]


def test_a_version_shows_masks_marks_and_reliability_as_they_were(client, project, opened, ask, mask_of, square):
    moved = np.roll(square, 5, axis=1)
    client.paint(project, 0, square)
    client.json("POST", f"/projects/{project}/frames/0/accept", json={"accepted": True})
    run(opened, dict.fromkeys(range(4), square), 0.25)
    client.paint(project, 2, moved)
    shown = [opened.mask(index).ids for index in range(4)]
    version = run(opened, {index: np.roll(square, 9, axis=1) for index in (1, 2, 3)}, 0.75)
    client.json("DELETE", f"/projects/{project}/masks/2")

    told = ask(version)
    assert told["title"] == "Track forward, 3 frames"
    assert sorted(told["frames"]) == ["1", "2", "3"]
    assert [told["frames"][index]["status"] for index in "123"] == ["tracked", "marked", "tracked"]
    assert told["frames"]["2"]["objects"] == [1]
    assert told["frames"]["1"]["result"][0] == {"1": 0.25}
    for index in (1, 2, 3):
        np.testing.assert_array_equal(mask_of(version, index), shown[index])
    np.testing.assert_array_equal(mask_of(version, 2), moved)  # the mark, though it is cleared now


def test_before_the_first_run_there_was_what_a_person_had_painted(client, project, opened, ask, mask_of, square):
    client.paint(project, 0, square)
    client.track(project)
    [version] = [each["id"] for each in opened.steps.versions.listing()]
    told = ask(version)["frames"]
    assert (told["0"]["status"], told["5"]["status"]) == ("marked", "empty")
    np.testing.assert_array_equal(mask_of(version, 0), square)
    assert not mask_of(version, 5).any()


def test_looking_after_a_restart_and_at_versions_without_marks(serve, clip, square, tmp_path):
    client = serve()
    name = client.open(clip)
    client.paint(name, 0, square)
    client.track(name)
    path = f"/projects/{name}/versions/1"
    before = client.json("GET", path)
    serve.stop()
    client = serve()
    assert client.json("GET", path) == before
    serve.stop()
    log = tmp_path / "projects" / name / "history" / "versions.jsonl"
    record = json.loads(log.read_text())
    del record["marks"]  # as earlier versions of the program wrote it
    log.write_text(json.dumps(record) + "\n")
    client = serve()
    assert client.json("GET", path)["frames"]["0"]["status"] == "empty"


def test_what_differs_is_told_frame_by_frame_and_in_parts(opened, ask, square, monkeypatch):
    run(opened, dict.fromkeys(range(6), square))
    version = run(opened, {index: np.roll(square, index, axis=1) for index in range(6)})
    whole = ask(f"{version}/difference")
    assert whole["next"] is None
    assert {int(index): each["pixels"] for index, each in whole["frames"].items()} == {i: 20 * i for i in range(1, 6)}
    for shift in range(1, 6):
        union = 100 + 10 * shift
        assert whole["frames"][str(shift)]["objects"]["1"] == pytest.approx((200 - union) / union)
    monkeypatch.setattr(version_difference, "PATIENCE", 0)
    parts, first = {}, 0
    for _ in range(5):
        answer = ask(f"{version}/difference", first=first)
        assert len(answer["frames"]) == 1
        parts |= answer["frames"]
        first = answer["next"]
    assert (parts, first) == (whole["frames"], None)
    assert ask(f"{version}/difference", first=3, last=3)["frames"].keys() == {"3"}


def test_the_difference_follows_what_is_painted_now(client, project, opened, ask, square):
    run(opened, {3: square})
    version = run(opened, {3: np.roll(square, 10, axis=1)})
    client.paint(project, 3, square)
    assert ask(f"{version}/difference")["frames"]["3"] == {"pixels": 0, "objects": {"1": 1.0}}


def test_versions_and_frames_that_are_not_kept_are_refused_in_words(client, project, opened, ask, square):
    version = run(opened, {3: square})
    assert "did not change frame 4" in ask(f"{version}/masks/4", 404)["problem"]
    for path in ("99", "99/masks/3", "99/difference"):
        assert ask(path, 404)["problem"] == "This version is not kept any more."
    for shift in range(10):
        run(opened, {3: np.roll(square, shift + 1, axis=1)})
    ask(f"{version}/masks/3", 404)
    for path in (opened.folder / "history" / "files").iterdir():
        path.write_bytes(b"")
    newest = opened.steps.versions.listing()[-1]["id"]
    assert "gone or damaged" in ask(f"{newest}/masks/3", 409)["problem"]


def test_looking_changes_nothing_and_reads_one_mask_at_a_time(opened, ask, mask_of, square, monkeypatch):
    run(opened, dict.fromkeys(range(8), square))
    version = run(opened, {index: np.roll(square, 2, axis=1) for index in range(8)})
    before = {path: path.stat().st_mtime_ns for path in opened.folder.rglob("*") if path.is_file()}
    read, content = [], type(opened.steps.history).content
    monkeypatch.setattr(
        type(opened.steps.history), "content", lambda self, name: (read.append(name), content(self, name))[1]
    )
    ask(version)
    assert not any(read)
    mask_of(version, 3)
    assert len(list(filter(None, read))) == 1
    ask(f"{version}/difference")
    assert {path: path.stat().st_mtime_ns for path in opened.folder.rglob("*") if path.is_file()} == before


def test_an_object_that_was_deleted_since_is_listed_again(client, project, opened, square):
    run(opened, {3: square, 4: 2 * square})
    version = run(opened, {3: 0 * square, 4: 0 * square})
    client.json("DELETE", f"/projects/{project}/objects/2", 204)
    client.json("POST", f"/projects/{project}/versions/{version}")
    assert [each["id"] for each in client.json("GET", f"/projects/{project}")["objects"]] == [1, 2]
    client.json("POST", f"/projects/{project}/undo")
    assert [each["id"] for each in client.json("GET", f"/projects/{project}")["objects"]] == [1]


def test_marks_that_a_version_shows_outlive_their_steps(client, project, opened, mask_of, square, monkeypatch):
    client.paint(project, 3, square)
    version = run(opened, {3: square})
    monkeypatch.setattr(history, "MOST_STEPS", 3)
    monkeypatch.setattr(history, "_SPARE", 1)
    for shift in range(8):
        client.paint(project, 3, np.roll(square, shift + 1, axis=1))
    np.testing.assert_array_equal(mask_of(version, 3), square)


def test_what_a_run_replaced_can_be_brought_back_after_a_kill(serve, clip, square, monkeypatch):
    client = serve()
    project = client.open(clip)
    client.paint(project, 0, square)
    opened = client.http.app.services.workspace.get(project)
    run(opened, dict.fromkeys(range(10), square), 0.9)
    with monkeypatch.context() as patch:
        patch.setattr(RunInProgress, "end", lambda _: None)  # the process ends in the middle of the run
        patch.setattr(Versions, "_add", lambda *_: None)
        patch.setattr(Versions, "_sweep", lambda _: None)
        with opened.steps.versions.run("Track backward"):
            for index in (8, 7, 6):
                opened.track_frame(index, np.roll(square, 9, axis=1), FrameResult({1: 0.2}), None)
    serve.stop()
    for _ in range(2):  # it is kept once
        client = serve()
        versions = client.json("GET", f"/projects/{project}/versions")
        assert [each["title"] for each in versions] == ["Track forward, 10 frames", "Track backward, 3 frames"]
    client.json("POST", f"/projects/{project}/versions/{versions[-1]['id']}")
    assert all(np.array_equal(client.mask(project, index)[0], square) for index in range(10))
    assert client.json("GET", f"/projects/{project}")["results"]["7"][0] == {"1": 0.9}
