"""Masks of all frames that others made: imported as tracked masks, and reviewed."""

from __future__ import annotations

import io
import json
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.work import importing, reviewing


def png(ids) -> bytes:
    data = io.BytesIO()
    Image.fromarray(ids).save(data, format="PNG")
    return data.getvalue()


def packed(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


@pytest.fixture
def theirs() -> dict[str, np.ndarray]:
    """A square that moves, as object 3, and in frame 6 nothing."""
    masks = {}
    for index in range(10):
        mask = np.zeros((24, 40), np.uint8)
        if index != 6:
            mask[6:16, 3 + 2 * index : 13 + 2 * index] = 3
        masks[f"shot_{index:03d}.png"] = mask
    return masks


@pytest.fixture
def send(client, clip):
    project = client.open(clip)

    def run(body, name="theirs.zip", fit=False, expect=202):
        path = f"/projects/{project}/results?name={name}&fit={str(fit).lower()}"
        answer = client.json("POST", path, expect, content=body)
        return answer if expect != 202 else client.finish(answer)

    run.project = project
    return run


def pictures(masks):
    return packed({name: png(mask) for name, mask in masks.items()})


def test_masks_become_tracked_ones_with_a_reliability(client, send, theirs):
    job = send(pictures(theirs))
    assert (job["status"], job["result"]["frames"], job["result"]["reviewed"]) == ("done", 9, 10), job
    assert job["result"]["notes"] == []
    state = client.json("GET", f"/projects/{send.project}")
    assert [each["id"] for each in state["objects"]] == [3]
    assert state["tracked"] == list(range(10))
    assert state["marks"] == {}
    for index, mask in enumerate(theirs.values()):
        np.testing.assert_array_equal(client.mask(send.project, index)[0], mask)
    reliability = {int(index): row[0] for index, row in state["results"].items()}
    assert reliability[0] == {}
    assert all(set(reliability[index]) == {"3"} for index in range(1, 10))
    assert reliability[6]["3"] == min(row["3"] for row in reliability.values() if row) < 0.01


def test_undoing_an_import_that_was_reviewed_brings_back_what_was_known_before(client, send, theirs, square):
    path = f"/projects/{send.project}"
    client.paint(send.project, 0, square)
    client.track(send.project)
    known, listed = client.json("GET", path)["results"], client.json("GET", f"{path}/review")
    send(pictures(theirs))
    assert client.json("GET", f"{path}/review") != listed
    client.json("POST", f"{path}/undo")
    assert client.json("GET", path)["results"] == known
    assert client.json("GET", f"{path}/review") == listed == client.json("GET", path)["review"]


def test_a_mask_that_changes_while_it_is_reviewed_does_not_get_the_reliability_of_the_old_one(
    client, send, theirs, square, monkeypatch
):
    opened = client.http.app.services.workspace.get(send.project)
    review_frames = reviewing.review_frames

    def changing(*given):
        for frame, prediction in review_frames(*given):
            if frame.index == 4:
                opened.track_frame(4, square, FrameResult(), None)
            yield frame, prediction

    monkeypatch.setattr(reviewing, "review_frames", changing)
    send(pictures(theirs))
    results = client.json("GET", f"/projects/{send.project}")["results"]
    assert [index for index in range(1, 10) if not results[str(index)][0]] == [4]


@pytest.mark.parametrize("way", ["undo", "version"])
def test_a_review_stops_when_the_masks_that_it_is_for_are_gone(client, send, theirs, square, monkeypatch, way):
    path = f"/projects/{send.project}"
    client.paint(send.project, 0, square)
    client.track(send.project)
    known = client.json("GET", path)["results"]
    review_frames = reviewing.review_frames

    def interrupted(*given):
        for frame, prediction in review_frames(*given):
            if frame.index == 4:
                client.json("POST", f"{path}/undo" if way == "undo" else f"{path}/versions/1")
            yield frame, prediction

    with monkeypatch.context() as patch:
        patch.setattr(reviewing, "review_frames", interrupted)
        job = send(pictures(theirs))
    assert (job["status"], job["error"]["kind"]) == ("failed", "ConflictError")
    assert "The review stopped" in job["error"]["problem"]
    results = client.json("GET", path)["results"]
    if way == "undo":
        assert results == known
    else:
        assert not any(results[str(index)][0] for index in range(4, 10))
    assert client.finish(client.json("POST", f"{path}/review", 202))["status"] == "done"


def test_undoing_something_while_a_result_is_read_does_not_stop_its_review(client, send, theirs, square, monkeypatch):
    path = f"/projects/{send.project}"
    send(pictures(theirs))
    opened = client.http.app.services.workspace.get(send.project)
    read = importing.read_source_masks
    monkeypatch.setattr(importing, "read_source_masks", lambda *given: (opened.undo(), read(*given))[1])
    assert send(pictures(theirs))["status"] == "done"
    assert client.json("GET", path)["results"]["6"][0].keys() == {"3"}


def test_marks_stay(client, send, theirs, square):
    client.paint(send.project, 2, square)
    client.json("POST", f"/projects/{send.project}/frames/2/accept", json={"accepted": True})
    assert send(pictures(theirs))["status"] == "done"
    np.testing.assert_array_equal(client.mask(send.project, 2)[0], square)
    np.testing.assert_array_equal(client.mask(send.project, 3)[0], theirs["shot_003.png"])


def test_another_tool_s_file_with_names(client, send, clip):
    name = f"{clip.name}.json"
    images = [{"id": i, "file_name": f"shot_{i:03d}.png", "width": 40, "height": 24} for i in range(10)]
    box = [[5, 5, 15, 5, 15, 15, 5, 15]]
    annotations = [
        {"id": i + 1, "image_id": i, "category_id": 1, "segmentation": box, "bbox": [5, 5, 10, 10], "area": 100}
        for i in range(10)
    ]
    file = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "car"}]}
    job = send(json.dumps(file).encode(), name)
    assert job["status"] == "done", job
    assert client.mask(send.project, 9)[0].any()


def test_another_size_is_refused_and_may_be_resized(client, send, theirs):
    large = {name: mask.repeat(2, 0).repeat(2, 1) for name, mask in theirs.items()}
    job = send(pictures(large))
    assert (job["status"], job["error"]["kind"]) == ("failed", "ResultSizeError")
    assert "80x48" in job["error"]["problem"]
    assert "--" not in job["error"]["remedy"]
    assert client.json("GET", f"/projects/{send.project}")["tracked"] == []
    assert send(pictures(large), fit=True)["status"] == "done"
    np.testing.assert_array_equal(client.mask(send.project, 4)[0], theirs["shot_004.png"])


def test_a_picture_alone_is_not_emptied(client, tmp_path, square):
    folder = tmp_path / "videos" / "picture"
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((24, 40, 3), np.uint8)).save(folder / "a.png")
    project = client.open(folder)
    path = f"/projects/{project}/results?name=masks.zip"
    assert client.finish(client.json("POST", path, 202, content=pictures({"a.png": square})))["status"] == "done"
    ended = client.finish(client.json("POST", path, 202, content=pictures({"a.png": 0 * square})))
    assert "shows an object in 0 frames" in ended["error"]["problem"]
    np.testing.assert_array_equal(client.mask(project, 0)[0], square)


def test_one_mask_is_no_result(send, square):
    job = send(png(square), "shot_000.png")
    assert "shows an object in 1 frame" in job["error"]["problem"]
    assert "this frame" in job["error"]["remedy"]


def test_a_folder_within_the_allowed_ones_alone(client, send, theirs, tmp_path):
    path = f"/projects/{send.project}/results/open"
    client.json("POST", path, 403, json={"path": str(tmp_path / "elsewhere")})
    folder = tmp_path / "videos" / "masks"
    folder.mkdir()
    for name, mask in theirs.items():
        (folder / name).write_bytes(png(mask))
    assert client.finish(client.json("POST", path, 202, json={"path": str(folder)}))["status"] == "done"
    np.testing.assert_array_equal(client.mask(send.project, 9)[0], theirs["shot_009.png"])


def claims(width: int, height: int) -> bytes:
    """A PNG of a few bytes whose header claims a size."""
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    return b"\x89PNG\r\n\x1a\n" + chunk


def test_what_headers_claim_is_counted_before_anything_is_decoded(send):
    job = send(packed({f"shot_{i:03d}.png": claims(5_000, 6_000) for i in range(150)}))
    assert job["error"]["kind"] == "TooLargeError"
    assert "4,500,000,000 pixels" in job["error"]["problem"]


def test_reviewing_what_is_shown(client, send, theirs):
    path = f"/projects/{send.project}/review"
    job = client.finish(client.json("POST", path, 202))
    assert job["error"]["problem"] == "No frame shows an object."
    send(pictures(theirs))
    client.paint(send.project, 6, theirs["shot_005.png"])
    assert client.finish(client.json("POST", path, 202))["status"] == "done"
    rows = client.json("GET", f"/projects/{send.project}")["results"]
    assert rows["6"][0] == {}, "the frame that a person marked is what the others are held against"
    assert rows["0"][0].keys() == {"3"}
