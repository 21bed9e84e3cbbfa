"""Masks in and out, exact to the pixel; marks, accepted frames, conflicts."""

from __future__ import annotations

import gzip
import io
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngImageFile


def png(ids: np.ndarray, palette: bytes | None = None) -> bytes:
    image = Image.fromarray(ids)
    if palette:
        image.putpalette(palette)
    data = io.BytesIO()
    image.save(data, format="PNG")
    return data.getvalue()


def test_what_was_painted_comes_back_to_the_pixel(client, project):
    painted = np.random.default_rng(0).integers(0, 256, (24, 40)).astype(np.uint8)
    answer = client.paint(project, 3, painted)
    ids, tag = client.mask(project, 3)
    assert np.array_equal(ids, painted)
    assert tag.strip('"') == answer["tag"]
    assert answer["status"] == "marked"
    assert answer["objects"] == sorted({*np.unique(painted).tolist()} - {0})
    assert [info["id"] for info in client.json("GET", f"/projects/{project}")["objects"]] == answer["objects"]


def test_a_stroke_on_an_old_mask_is_refused_and_changes_nothing(client, project, square):
    _, old = client.mask(project, 0)
    client.paint(project, 0, square, old)
    answer = client.paint(project, 0, np.zeros_like(square), old, expect=409)
    assert "changed elsewhere" in answer["problem"]
    assert answer["remedy"]
    assert np.array_equal(client.mask(project, 0)[0], square)


def test_only_objects_that_a_stroke_meant_count_as_marked(client, project, square):
    client.paint(project, 0, square)
    client.track(project)
    tracked, _ = client.mask(project, 5)
    painted = tracked.copy()
    painted[0:4, 0:4] = 2  # may cover pixels of object 1, which were not meant
    assert client.paint(project, 5, painted)["objects"] == [2]
    painted[painted == 1] = 0
    assert client.paint(project, 5, painted)["objects"] == [1, 2]


def test_a_mask_of_another_size_or_that_is_no_gzip_is_refused(client, project):
    _, tag = client.mask(project, 0)
    url = f"/projects/{project}/masks/0"
    headers = {"If-Match": tag, "Content-Encoding": "gzip"}
    for body in (
        b"no gzip",
        gzip.compress(bytes(10)),
        gzip.compress(bytes(24 * 40 + 1)),
        gzip.compress(bytes(960))[:9],
    ):
        assert client.json("PUT", url, 400, content=body, headers=headers)["remedy"]
    bomb = gzip.compress(bytes(50_000_000))
    assert "one byte for each" in client.json("PUT", url, 400, content=bomb, headers=headers)["problem"]
    assert client.json("PUT", url, 400, content=bytes(960))["problem"].startswith("The mask does not say")


def test_forgetting_a_mark_goes_back_to_what_tracking_made(client, project, square):
    client.paint(project, 0, square)
    client.track(project)
    tracked, _ = client.mask(project, 4)
    client.paint(project, 4, np.zeros_like(square))
    assert not client.mask(project, 4)[0].any()
    assert client.json("DELETE", f"/projects/{project}/masks/4")["status"] == "tracked"
    assert np.array_equal(client.mask(project, 4)[0], tracked)


def test_an_imported_mask_keeps_its_ids_and_brings_its_colours(client, project, square):
    palette = bytes(range(255, -1, -1)) * 3
    answer = client.json("POST", f"/projects/{project}/masks/0/import", content=png(square * 7, palette))
    assert answer["objects"] == [7]
    state = client.json("GET", f"/projects/{project}")
    assert state["palette"][1] == "#{:02x}{:02x}{:02x}".format(*palette[3:6])
    assert np.array_equal(client.mask(project, 0)[0], square * 7)


def test_an_imported_mask_of_another_size_is_refused_or_resized_if_asked(client, project, square):
    small = png(square[::2, ::2].copy())
    answer = client.json("POST", f"/projects/{project}/masks/0/import", 422, content=small)
    assert "20x12" in answer["problem"]
    assert "40x24" in answer["problem"]
    assert client.json("POST", f"/projects/{project}/masks/0/import?fit=true", content=small)["areas"] == {"1": 100}


def test_an_import_says_how_the_mask_was_read(client, project, square):
    path = f"/projects/{project}/masks/0/import"
    assert client.json("POST", path, content=png(square * 7, bytes(range(256)) * 3))["notes"] == []
    rgba = np.dstack([np.random.default_rng(0).integers(0, 256, (*square.shape, 3)), square * 255]).astype(np.uint8)
    data = io.BytesIO()
    Image.fromarray(rgba).save(data, format="PNG")
    notes = client.json("POST", path, content=data.getvalue())["notes"]
    assert any(note.startswith("It is a cut-out") for note in notes)
    (note,) = client.json("POST", path, content=png(np.ones_like(square), bytes(768)))["notes"]
    assert note.startswith("Object 1 covers more than 90% of the frame.")


def test_an_imported_mask_on_its_side_is_not_stretched(client, project, square):
    on_its_side = png(np.rot90(square).copy())
    answer = client.json("POST", f"/projects/{project}/masks/0/import?fit=true", 422, content=on_its_side)
    assert "24x40" in answer["problem"]
    assert "sides are swapped" in answer["problem"]


@pytest.mark.parametrize("body", [b"", b"GIF89a", b"\x89PNG\r\n\x1a\nrubbish"])
def test_what_is_no_mask_is_refused_without_naming_our_files(client, project, body):
    answer = client.json("POST", f"/projects/{project}/masks/0/import", 422, content=body)
    assert "/tmp" not in answer["problem"] + answer["remedy"]


def test_a_bomb_of_a_picture_is_refused(client, project):
    data = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(data, format="PNG")
    assert len(data.getvalue()) < 200_000
    client.json("POST", f"/projects/{project}/masks/0/import", 422, content=data.getvalue())


def test_the_demo_clips_mask_is_ready(client, project):
    demo = client.json("POST", "/projects", 201, json={"demo": "car-shadow"})["id"]
    answer = client.json("POST", f"/projects/{demo}/masks/0/demo")
    assert answer["objects"] == [1]
    assert answer["status"] == "marked"
    client.json("POST", f"/projects/{project}/masks/0/demo", 404)


def test_two_tabs_that_paint_at_once_lose_nothing(client, project):
    """Each adds its own pixels to the mask as it is, and begins anew when the other was faster."""
    refused = []

    def paint(row: int) -> None:
        for column in range(12):
            while True:
                ids, tag = client.mask(project, 0)
                ids = ids.copy()
                ids[row, column] = row
                body = gzip.compress(ids.tobytes())
                headers = {"If-Match": tag, "Content-Encoding": "gzip"}
                answer = client.http.put(f"/api/projects/{project}/masks/0", content=body, headers=headers)
                assert answer.status_code in (200, 409), answer.text
                if answer.status_code == 200:
                    break
                refused.append(row)

    with ThreadPoolExecutor(3) as tabs:
        list(tabs.map(paint, (1, 2, 3)))
    ids, _ = client.mask(project, 0)
    assert all((ids[row, :12] == row).all() for row in (1, 2, 3))
    assert refused
    assert [info["id"] for info in client.json("GET", f"/projects/{project}")["objects"]] == [1, 2, 3]


def test_two_tabs_that_add_objects_at_once_get_different_ones(client, project):
    with ThreadPoolExecutor(4) as tabs:
        made = list(tabs.map(lambda _: client.json("POST", f"/projects/{project}/objects", 201, json={}), range(12)))
    assert sorted(info["id"] for info in made) == list(range(1, 13))


def test_taking_an_acceptance_back_leaves_the_frame_as_it_was(client, project, square):
    client.paint(project, 0, square)
    client.track(project)
    for index, status in ((0, "marked"), (4, "tracked")):
        pixels, tag = client.mask(project, index)
        accept = f"/projects/{project}/frames/{index}/accept"
        assert client.json("POST", accept, json={"accepted": True})["status"] == "accepted"
        assert client.json("POST", accept, json={"accepted": False})["status"] == status
        again, same = client.mask(project, index)
        assert np.array_equal(again, pixels)
        assert same == tag


def test_an_accepted_frame_that_tracking_sees_otherwise_now_keeps_its_pixels(client, project, square):
    client.paint(project, 0, square)
    client.track(project)
    accepted = client.mask(project, 4)[0]
    accept = f"/projects/{project}/frames/4/accept"
    client.json("POST", accept, json={"accepted": True})
    client.paint(project, 3, np.roll(square, 10, axis=1))
    client.paint(project, 4, np.where(accepted, accepted, square).astype(np.uint8))
    shown = client.mask(project, 4)[0]
    client.track(project)
    assert client.json("POST", accept, json={"accepted": False})["status"] == "marked"
    assert np.array_equal(client.mask(project, 4)[0], shown)


def test_deleting_an_object_takes_it_out_of_every_frame(client, project, square):
    both = square.copy()
    both[18:23, 20:36] = 5
    client.paint(project, 0, both)
    client.paint(project, 9, square)
    client.track(project)
    client.http.delete(f"/api/projects/{project}/objects/1")
    state = client.json("GET", f"/projects/{project}")
    assert [info["id"] for info in state["objects"]] == [5]
    assert list(state["marks"]) == ["0"]
    assert all(1 not in client.mask(project, index)[0] for index in range(10))
    assert 5 in client.mask(project, 0)[0]


def test_objects_have_names_and_colours(client, project):
    first = client.json("POST", f"/projects/{project}/objects", 201, json={"name": "  the dog "})
    second = client.json("POST", f"/projects/{project}/objects", 201, json={"colour": "#123456"})
    assert (first["id"], first["name"], second["id"], second["name"]) == (1, "the dog", 2, "object 2")
    client.json("PATCH", f"/projects/{project}/objects/1", json={"locked": True, "hidden": True})
    state = client.json("GET", f"/projects/{project}")
    assert state["objects"][0] == {"id": 1, "name": "the dog", "hidden": True, "locked": True}
    assert state["palette"][2] == "#123456"
    client.json("PATCH", f"/projects/{project}/objects/9", 404, json={"locked": True})


def test_frames_come_upright_and_in_any_order(client, project, images):
    for index in (9, 0, 5, 4, 3):
        data = client.http.get(f"/api/projects/{project}/frames/{index}").content
        shown = np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)
        assert np.abs(shown - images[index]).mean() < 6
    client.json("GET", f"/projects/{project}/frames/10", 404)


def test_a_picture_of_another_size_is_refused_before_it_is_decoded(client, clip, monkeypatch):
    project = client.open(clip)
    data = io.BytesIO()
    Image.new("L", (6000, 6000)).save(data, format="PNG")
    monkeypatch.setattr(PngImageFile, "load", lambda _: pytest.fail("decoded"))
    answer = client.json("POST", f"/projects/{project}/masks/0/import", 422, content=data.getvalue())
    assert "6000x6000 but the video is 40x24" in str(answer)
