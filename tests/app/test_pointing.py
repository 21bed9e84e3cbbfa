"""What the server answers to clicks and boxes, and what it says where it cannot."""

from __future__ import annotations

import base64
import zlib
from contextlib import ExitStack

import numpy as np
import pytest

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects.demos import demo_clip
from cyclevos.app.work.prompter_holder import PrompterHolder
from cyclevos.media.open_source import open_source
from cyclevos.prompts.loading import load_prompter

SIZE = (24, 40)


@pytest.fixture
def ask(client, project):
    """Point at something in a frame; the whole mask that comes back, and the number of candidates."""

    def send(frame: int = 0, project: str = project, size: tuple[int, int] = SIZE, **body) -> tuple[np.ndarray, int]:
        response = client.http.post(f"/api/projects/{project}/frames/{frame}/point", json=body)
        assert response.status_code == 200, response.text
        left, top, width, height, candidates = (
            int(response.headers[f"X-{name}"]) for name in ("Left", "Top", "Width", "Height", "Candidates")
        )
        bits = np.unpackbits(np.frombuffer(response.content, np.uint8), count=width * height)
        whole = np.zeros(size, np.bool_)
        whole[top : top + height, left : left + width] = bits.reshape(height, width)
        return whole, candidates

    return send


def piece(mask: np.ndarray, left: int, top: int, **changes) -> dict[str, object]:
    """A rectangle of a mask as a page sends it."""
    data = base64.b64encode(zlib.compress(mask.astype(np.uint8).tobytes())).decode()
    return {"left": left, "top": top, "width": mask.shape[1], "height": mask.shape[0], "data": data, **changes}


def test_clicks_and_boxes_are_answered_with_a_mask_to_the_pixel(ask, prompter):
    found, _ = ask(points=[[5.5, 7.2], [20, 10]], labels=[1, 1])
    assert np.array_equal(found, prompter.of(SIZE, (5, 7, True), (20, 10, True)))
    found, _ = ask(points=[[39.9, 23.9]], labels=[1])
    assert np.array_equal(found, prompter.of(SIZE, (39, 23, True)))
    found, _ = ask(box=[-5, 2, 12, 99], points=[[6, 6]], labels=[0])
    assert np.array_equal(found, prompter.of(SIZE, (6, 6, False), box=(0, 2, 12, 24)))
    found, _ = ask(points=[[6, 6]], labels=[0])
    assert not found.any()


def test_labels_may_be_left_out_where_all_points_are_on_the_object(ask, prompter):
    found, _ = ask(points=[[5.5, 7.2]])
    assert np.array_equal(found, prompter.of(SIZE, (5, 7, True)))


def test_requests_that_would_wait_too_long_are_refused(monkeypatch):
    holder = PrompterHolder("default", "cpu", "float32")
    monkeypatch.setattr("cyclevos.prompts.loading.load_prompter", lambda *_, **__: "the prompter")
    with ExitStack() as waiting:
        for _ in range(8):
            assert holder._places.acquire(blocking=False)
            waiting.callback(holder._places.release)
        with pytest.raises(ConflictError, match="Many points are waiting"), holder.borrow():
            pass
    with holder.borrow() as found:
        assert found == "the prompter"


def test_the_mask_that_is_sent_is_repaired(ask, prompter):
    before = np.zeros(SIZE, np.bool_)
    before[10:20, 20:35] = True
    before[12, 22] = False
    found, _ = ask(points=[[5, 5], [30, 15]], labels=[1, 0], mask=piece(before[10:20, 20:35], 20, 10))
    assert np.array_equal(prompter.asked[-1][1], before)
    assert np.array_equal(found, prompter.of(SIZE, (5, 5, True), (30, 15, False), mask=before))


def test_candidates_follow_each_other_in_a_circle(ask, prompter):
    first, second = (prompter.of(SIZE, (10, 10, True), wider=wider) for wider in (0, 1))
    for candidate, expected in enumerate((first, second, first)):
        found, number = ask(points=[[10, 10]], labels=[1], candidate=candidate)
        assert np.array_equal(found, expected)
        assert number == (2 if candidate else 0)


@pytest.mark.parametrize(
    ("status", "word", "body"),
    [
        (422, "outside the picture", {"points": [[40, 5]], "labels": [1]}),
        (422, "outside the picture", {"box": [50, 2, 60, 9]}),
        (422, "holds no pixel", {"box": [9, 2, 9, 9]}),
        (422, "neither a point nor a box", {}),
        (422, "labels", {"points": [[4, 5]], "labels": []}),
        (422, "points", {"points": [[1, 1]] * 10_001, "labels": [1] * 10_001}),
        (400, "beyond the frame", {"points": [[4, 5]], "labels": [1], "mask": piece(np.ones((2, 2)), 39, 0)}),
        (400, "base64", {"points": [[4, 5]], "labels": [1], "mask": piece(np.ones((2, 2)), 0, 0, data="?")}),
        (400, "one byte", {"points": [[4, 5]], "labels": [1], "mask": piece(np.ones((2, 2)), 0, 0, width=3)}),
    ],
)
def test_what_cannot_be_pointed_at_is_refused_in_words(client, project, prompter, status, word, body):
    told = client.json("POST", f"/projects/{project}/frames/0/point", status, json=body)
    assert word in told["problem"]
    assert told["remedy"]
    client.json("POST", f"/projects/{project}/frames/99/point", 404, json={"box": [1, 1, 9, 9]})


def test_a_frame_that_was_shown_is_not_decoded_again(client, ask, prompter, project, monkeypatch):
    client.http.get(f"/api/projects/{project}/frames/6")
    client.json("PUT", f"/projects/{project}/frames/3/point", 204)
    monkeypatch.setattr("cyclevos.media.image_folder.ImageFiles.iterate", lambda *_, **__: pytest.fail("decoded"))
    for frame in (6, 3):
        found, _ = ask(frame, points=[[9, 9]], labels=[1])
        assert found.any()


def test_pointing_and_heat_maps_wait_for_no_tracking(client, ask, prompter, project, square, go_on):
    client.paint(project, 0, square)
    client.paint(project, 9, square)
    job = client.json("POST", f"/projects/{project}/track", 202, json={"direction": "forward"})
    client.wait(lambda: client.json("GET", f"/jobs/{job['id']}")["done"] == 4)
    found, _ = ask(points=[[9, 9]], labels=[1])
    assert found.any()
    heat = client.finish(client.json("POST", f"/projects/{project}/heat", 202, json={"frame": 2, "object": 1}))
    assert heat["status"] == "done", heat
    assert client.json("GET", f"/jobs/{job['id']}")["status"] == "running"
    go_on.set()
    assert client.finish(job)["status"] == "done"


def test_without_its_weights_pointing_says_so_and_the_rest_works(serve, clip, square, tmp_path):
    client = serve(prompter=str(tmp_path / "gone.safetensors"))
    project = client.open(clip)
    for method in ("PUT", "POST"):
        body = {"box": [1, 1, 9, 9]} if method == "POST" else None
        told = client.json(method, f"/projects/{project}/frames/0/point", 422, json=body)
        assert "gone.safetensors" in told["problem"]
        assert told["remedy"]
    client.paint(project, 0, square)
    client.track(project)


def test_a_prompter_that_breaks_is_explained(client, project, prompter, monkeypatch):
    monkeypatch.setattr(type(prompter), "candidates", lambda *_: np.zeros(3)[9])
    told = client.json("POST", f"/projects/{project}/frames/0/point", 400, json={"box": [1, 1, 9, 9]})
    assert "IndexError" in told["problem"]
    assert "report" in told["remedy"]


def test_the_packaged_prompter_answers_as_it_does_in_python(client, ask):
    project = client.json("POST", "/projects", 201, json={"demo": "car-shadow"})["id"]
    source = open_source(demo_clip("car-shadow"))
    image = next(iter(source)).image
    said = load_prompter()
    body = {"points": [[430.5, 260.5], [10, 470]], "labels": [1, 0]}
    found, _ = ask(0, project, source.size, **body)
    assert np.array_equal(found, said(image, **body) > 0.5)
    assert found[260, 430]
    assert not found[470, 10]
    mask = np.zeros(source.size, np.bool_)
    mask[200:300, 300:600] = True
    found, _ = ask(0, project, source.size, **body, mask=piece(mask[200:300, 300:600], 300, 200))
    assert np.array_equal(found, said(image, **body, mask=mask) > 0.5)
    found, _ = ask(0, project, source.size, box=[300, 150, 600, 350])
    assert np.array_equal(found, said(image, box=(300, 150, 600, 350)) > 0.5)
