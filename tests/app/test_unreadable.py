"""Frames that cannot be read: the rest of the video is worked on as ever, and everybody is told which and why."""

from __future__ import annotations

import csv
import io
import json
import zipfile

import clips
import numpy as np
import pytest
from PIL import Image

from cyclevos.app.projects import indexing
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.media.open_source import open_source

BAD = (3, 6, 9)
PASSED = "3 frames cannot be read and were passed over."


def png(ids) -> bytes:
    data = io.BytesIO()
    Image.fromarray(ids).save(data, format="PNG")
    return data.getvalue()


@pytest.fixture
def broken(clip):
    """The clip, with a picture cut off, one of another size, and an empty file."""
    file = clip / "shot_003.png"
    file.write_bytes(file.read_bytes()[:-200])
    Image.fromarray(np.zeros((12, 20, 3), np.uint8)).save(clip / "shot_006.png")
    (clip / "shot_009.png").write_bytes(b"")
    return clip


@pytest.fixture
def project(client, broken) -> str:
    return client.open(broken)


def state(client, project) -> dict:
    return client.json("GET", f"/projects/{project}")


def test_the_page_is_told_which_frames_and_why(client, project):
    told = state(client, project)
    assert (told["problem"], told["frames"]) == (None, 10)
    assert list(told["unreadable"]) == ["3", "6", "9"]
    assert told["unreadable"]["3"] == "shot_003.png is cut off"
    assert told["unreadable"]["6"] == "shot_006.png is 20x12, but shot_000.png is 40x24"
    assert told["unreadable"]["9"] == "shot_009.png is empty"
    assert told["thumbnails"] == list(range(10))
    for index in range(10):
        response = client.http.get(f"/api/projects/{project}/frames/{index}")
        assert response.status_code == (422 if index in BAD else 200), index
        if index in BAD:
            assert response.json()["problem"] == f"Frame {index} cannot be read: {told['unreadable'][str(index)]}."


def test_a_restart_knows_them_without_reading_the_video(serve, broken, monkeypatch):
    client = serve()
    project = client.open(broken)
    before = state(client, project)["unreadable"]
    serve.stop()
    monkeypatch.setattr(indexing, "index_video", lambda *_: pytest.fail("the video was read again"))
    after = state(serve(), project)
    assert (after["unreadable"], after["problem"]) == (before, None)


def test_a_file_that_was_replaced_can_be_read_after_a_restart(serve, broken):
    client = serve()
    project = client.open(broken)
    serve.stop()
    (broken / "shot_009.png").write_bytes((broken / "shot_008.png").read_bytes())
    client = serve()
    client.wait(lambda: list(state(client, project)["unreadable"]) == ["3", "6"])  # frames are looked at one by one
    assert client.http.get(f"/api/projects/{project}/frames/9").status_code == 200
    assert list(state(client, project)["unreadable"]) == ["3", "6"]


@pytest.mark.usefixtures("prompter")
def test_nothing_can_be_painted_pointed_at_or_accepted_where_nobody_sees_it(client, project, square):
    body = {"points": [[5, 5]], "labels": [1]}
    refused = [
        client.paint(project, 3, square, expect=422),
        client.json("POST", f"/projects/{project}/masks/6/import", 422, content=png(square)),
        client.json("POST", f"/projects/{project}/frames/9/accept", 422, json={"accepted": True}),
        client.json("POST", f"/projects/{project}/frames/9/point", 422, json=body),
        client.json("PUT", f"/projects/{project}/frames/3/point", 422),
        client.json(
            "POST", f"/projects/{project}/frames/3/edit", 422, json={"op": "delete", "object": 1, "first": 3, "last": 3}
        ),
    ]
    assert all("cannot be read" in each["problem"] for each in refused)
    assert state(client, project)["marks"] == {}


@pytest.mark.parametrize(("direction", "marked"), [("forward", 0), ("backward", 8), ("both", 4)])
def test_tracking_passes_them_over_and_goes_on_behind_them(client, project, square, direction, marked):
    client.paint(project, marked, square)
    result = client.track(project, direction)["result"]
    count = 3 if direction != "backward" else 2  # frame 9 lies behind the mark
    assert result["passed"].startswith(f"{count} frames")
    told = state(client, project)
    assert told["tracked"] == [i for i in range(10) if i not in BAD and (direction != "backward" or i <= 8)]
    assert not {str(index) for index in BAD} & {*told["results"]}
    assert not client.mask(project, 3)[0].any()
    assert all(client.mask(project, index)[0].any() for index in (2, 4, 5, 7, 8)), "the memory goes on"
    assert client.track(project, direction)["result"]["frames"] == 0, "all that can be tracked is"


def test_a_range_that_begins_and_ends_with_unreadable_frames_is_tracked(client, project, square):
    client.paint(project, 0, square)
    body = {"direction": "forward", "first": 3, "last": 6}
    job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json=body))
    assert (job["status"], job["result"]["frames"]) == ("done", 2)
    assert job["result"]["passed"] == "2 frames cannot be read and were passed over."
    assert state(client, project)["tracked"] == [4, 5]


def test_masks_of_others_are_imported_and_those_of_readable_frames_judged(client, project, square):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for index in range(10):
            archive.writestr(f"shot_{index:03d}.png", png(np.roll(square, index, axis=1)))
    body = data.getvalue()
    job = client.finish(client.json("POST", f"/projects/{project}/results?name=a.zip", 202, content=body))
    assert job["status"] == "done", job
    assert (job["result"]["frames"], job["result"]["reviewed"], job["result"]["passed"]) == (10, 7, PASSED)
    told = state(client, project)
    assert np.array_equal(client.mask(project, 3)[0], np.roll(square, 3, axis=1)), "it is kept"
    assert told["results"]["3"][0] == {}
    assert told["results"]["4"][0].keys() == {"1"}
    assert not {entry["frame"] for entry in told["review"]} & {*BAD}


def test_exports_list_them_and_keep_the_places_of_the_others(client, project, square, tmp_path):
    client.paint(project, 0, square)
    client.track(project)
    body = {"kinds": ["masks", "overlay", "reliability"], "folder": str(tmp_path / "videos" / "out")}
    job = client.finish(client.json("POST", f"/projects/{project}/export", 202, json=body))
    assert job["status"] == "done", job
    assert "3 frames cannot be read; unreadable_frames.csv lists them." in job["result"]["lost"]
    with (tmp_path / "videos" / "out" / "unreadable_frames.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["index"], row["frame"]) for row in rows] == [("3", "shot_003"), ("6", "shot_006"), ("9", "shot_009")]
    assert rows[2]["reason"] == "shot_009.png is empty"
    out = tmp_path / "videos" / "out"
    assert len(list(out.rglob("shot_*.png"))) == 10
    video = next(out.rglob("*.mp4"))
    shown = clips.images_of(open_source(video))
    assert len(shown) == 10
    assert shown[9].mean() < 20 < shown[8].mean()


def test_a_piece_is_followed_behind_an_unreadable_frame(client, project):
    mask = np.zeros((24, 40), np.uint8)
    mask[2:8, 2:8] = mask[12:20, 20:30] = 1
    opened = client.http.app.services.workspace.get(project)
    client.paint(project, 0, mask)
    for index in (1, 2, 4, 5):
        opened.track_frame(index, mask, FrameResult({1: 0.9}), None)
    body = {"op": "split", "first": 0, "last": 9, "object": 1, "frame": 0, "x": 24, "y": 15}
    job = client.finish(client.json("POST", f"/projects/{project}/edits", 202, json=body))
    assert job["status"] == "done", job
    for index in (0, 1, 2, 4, 5):
        assert set(np.unique(client.mask(project, index)[0])) == {0, 1, 2}, index


def test_finishing_edges_by_the_picture_passes_them_over(client, project):
    mask = np.zeros((24, 40), np.uint8)
    mask[6:16, 3:13] = 1
    opened = client.http.app.services.workspace.get(project)
    client.paint(project, 0, mask)
    for index in range(1, 10):
        opened.track_frame(index, mask, FrameResult({1: 0.9}), None)
    body = {"op": "finish", "how": "snap", "amount": 4, "first": 2, "last": 7, "object": 1}
    job = client.finish(client.json("POST", f"/projects/{project}/edits", 202, json=body))
    assert job["status"] == "done", job
    assert np.array_equal(client.mask(project, 3)[0], mask)
    assert not set(job["result"]["changed"]) & {*BAD}


def test_a_video_whose_first_frame_is_broken_opens(client, broken):
    (broken / "shot_000.png").write_bytes(b"no picture")
    project = client.open(broken)
    told = state(client, project)
    assert (told["width"], told["height"]) == (40, 24)
    assert told["unreadable"]["0"] == "shot_000.png is not a picture"
    assert told["times"][0] == 0


def test_a_folder_without_a_readable_frame_is_refused_in_words(client, broken):
    for file in broken.iterdir():
        file.write_bytes(b"")
    refused = client.json("POST", "/projects", 422, json={"path": str(broken)})
    assert "None of the 10 images" in json.dumps(refused)


def test_a_damaged_video_opens_and_its_frames_are_shown_exactly_before_and_after_a_restart(serve, tmp_path):
    (tmp_path / "videos").mkdir(exist_ok=True)
    one_slice = {"crf": "10", "x264-params": "sliced-threads=0:slices=1"}
    path = clips.write_video(tmp_path / "videos" / "hit.mp4", clips.scene(30, 96, 128), gop=10, options=one_slice)
    clips.damage_packet(path, 14)
    client = serve()
    project = client.open(path)
    first = state(client, project)
    assert sorted(map(int, first["unreadable"])) == list(range(14, 20))
    assert first["frames"] == len(first["times"]) == 30
    assert first["times"] == pytest.approx([index / 25 for index in range(30)], abs=1e-3)

    def pictures() -> list:
        answers = [client.http.get(f"/api/projects/{project}/frames/{index}") for index in range(29, -1, -1)]
        return [answer.content if answer.status_code == 200 else answer.status_code for answer in answers]

    shown = pictures()
    assert [index for index, data in enumerate(reversed(shown)) if data == 422] == list(range(14, 20))
    serve.stop()
    client = serve()
    assert state(client, project)["unreadable"] == first["unreadable"]
    assert pictures() == shown
