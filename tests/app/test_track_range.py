"""Tracking some of it: a range, one object, the frames in doubt, and until there is doubt."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import cyclevos
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.work import tracking
from cyclevos.propagation.propagator import Propagator


@pytest.fixture
def steps(monkeypatch) -> list[int]:
    """Indices of the frames that the propagator was asked for."""
    asked = []
    step = Propagator.advance
    monkeypatch.setattr(
        Propagator, "advance", lambda self, index, *rest: asked.append(index) or step(self, index, *rest)
    )
    return asked


def run(client, project, **plan) -> dict:
    job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json=plan))
    assert job["status"] == "done", job
    return job["result"]


def masks(client, project) -> list[np.ndarray]:
    return [client.mask(project, index)[0] for index in range(10)]


def tracked(client, project) -> list[int]:
    return client.json("GET", f"/projects/{project}")["tracked"]


def same(one, other) -> list[bool]:
    return [np.array_equal(a, b) for a, b in zip(one, other, strict=True)]


@pytest.mark.parametrize(("direction", "marked", "ends"), [("forward", 2, (2, 5)), ("backward", 7, (4, 7))])
def test_a_range_from_the_first_annotation_is_what_a_whole_run_gives(
    client, project, clip, square, lively_network, direction, marked, ends
):
    client.paint(project, marked, square)
    assert run(client, project, direction=direction, first=ends[0], last=ends[1]) == {"frames": 4}
    assert tracked(client, project) == list(range(ends[0], ends[1] + 1))
    whole = {p.index: p.ids for p in cyclevos.segment(lively_network, clip, {marked: square}, direction=direction)}
    for index in range(ends[0], ends[1] + 1):
        assert np.array_equal(client.mask(project, index)[0], whole[index])
    assert run(client, project, direction=direction)["frames"] == 4, "the rest, and only that"
    assert all(np.array_equal(client.mask(project, index)[0], whole[index]) for index in tracked(client, project))


@pytest.mark.parametrize("direction", ["forward", "both"])
def test_a_range_after_a_whole_run_changes_nothing(client, project, square, direction):
    client.paint(project, 1, square)
    run(client, project, direction=direction)
    before = masks(client, project)
    run(client, project, direction=direction, first=4, last=7)
    assert same(masks(client, project), before) == [True] * 10


def test_a_fixed_frame_in_a_range_is_followed_as_a_whole_run_does_and_only_there(
    client, project, clip, square, lively_network
):
    client.paint(project, 0, square)
    run(client, project)
    before = masks(client, project)
    fixed = np.roll(square, 12, axis=1)
    client.paint(project, 5, fixed)
    run(client, project, first=5, last=7)
    after = masks(client, project)
    assert same(after, before) == [True] * 5 + [False] * 3 + [True] * 2
    whole = {p.index: p.ids for p in cyclevos.segment(lively_network, clip, {0: square, 5: fixed})}
    assert all(np.array_equal(after[index], whole[index]) for index in (5, 6, 7))


def test_without_an_earlier_run_a_ranges_memory_begins_with_the_annotated_frames_before_it(
    client, project, clip, square, lively_network, steps, images
):
    client.paint(project, 0, square)
    client.paint(project, 3, np.roll(square, 6, axis=1))
    assert run(client, project, first=6, last=7) == {"frames": 2}
    assert steps == [0, 3, 6, 7]
    assert tracked(client, project) == [6, 7]
    alone = Propagator(lively_network)
    for index, mask in ((0, square), (3, np.roll(square, 6, axis=1))):
        alone.advance(index, images[index], mask)
    for index in (6, 7):
        assert np.array_equal(client.mask(project, index)[0], alone.advance(index, images[index]).ids)


def test_a_range_that_no_annotation_reaches_is_refused_in_words(client, project, square):
    client.paint(project, 8, square)
    job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json={"first": 2, "last": 5}))
    assert job["status"] == "failed"
    assert "nothing is marked in or before them" in job["error"]["problem"]


def test_a_cancelled_range_goes_on_where_it_was(client, project, square, cancelled_at, steps):
    client.paint(project, 0, square)
    with cancelled_at(2):
        job = client.json("POST", f"/projects/{project}/track", 202, json={"first": 5, "last": 9})
        assert client.finish(job)["status"] == "cancelled"
    steps.clear()
    assert run(client, project, first=5, last=9) == {"frames": 3}
    assert steps == [7, 8, 9]


def test_the_other_objects_keep_every_pixel_where_one_is_tracked(client, project, square):
    both = square + 2 * np.roll(square, 14, axis=1)
    client.paint(project, 0, both)
    run(client, project)
    before = masks(client, project)
    moved = np.where(square > 0, 0, both).astype(np.uint8)
    moved[0:6, 20:34] = 1
    client.paint(project, 0, moved)
    run(client, project, object=1)
    after = masks(client, project)
    for index in range(1, 10):
        assert np.array_equal(after[index] == 2, before[index] == 2), index
    assert not all(same(after[1:], before[1:])), "object 1 is another one"
    run(client, project)
    whole = masks(client, project)
    for index in range(1, 10):
        free = before[index] != 2
        assert np.array_equal((after[index] == 1)[free], ((whole[index] == 1) & free)[free]), index


def test_only_frames_in_doubt_are_done_again(client, project, square):
    client.paint(project, 0, square)
    run(client, project)
    opened = client.http.app.services.workspace.get(project)
    for index in range(1, 10):
        ids = np.roll(square, index, axis=1) if index not in (4, 5) else np.zeros_like(square)
        opened.track_frame(index, ids, FrameResult({1: 0.4 if index in (4, 5) else 0.9}), None)
    before = masks(client, project)
    assert run(client, project, doubtful=0.3) == {"frames": 0}
    assert run(client, project, doubtful=0.85) == {"frames": 2}
    assert [k for k, kept in enumerate(same(masks(client, project), before)) if not kept] == [4, 5]
    assert client.mask(project, 4)[0].any()


def scores(monkeypatch, values: dict[int, float]) -> None:
    """Make the reliability of these frames known; 0.9 in all others."""
    check = tracking._Run._check
    known = {index: {1: values.get(index, 0.9)} for index in range(10)}
    monkeypatch.setattr(tracking._Run, "_check", lambda self, p: check(self, replace(p, reliability=known[p.index])))


def test_it_stops_in_doubt_and_goes_on_when_it_is_told_to(client, project, clip, square, monkeypatch, lively_network):
    scores(monkeypatch, {2: 0.3, 4: 0.4, 5: 0.35, 6: 0.3, 7: 0.2, 8: 0.1})
    client.paint(project, 0, square)
    told = run(client, project, until=0.5, patience=2)
    assert told == {"frames": 6, "stopped": {"frame": 4, "object": 1, "reliability": 0.4}}
    assert tracked(client, project) == list(range(6))
    assert run(client, project, until=0.5, patience=2, continued=True) == {"frames": 4}
    whole = [p.ids for p in cyclevos.segment(lively_network, clip, square)]
    assert same(masks(client, project), whole) == [True] * 10


@pytest.mark.parametrize(
    "wrong", [{"first": -1}, {"doubtful": 0}, {"doubtful": 1.5}, {"until": "x"}, {"patience": 0}, {"object": 0}]
)
def test_what_no_plan_can_be_is_refused(client, project, wrong):
    assert next(iter(wrong)) in client.json("POST", f"/projects/{project}/track", 422, json=wrong)["problem"]


@pytest.mark.parametrize(("wrong", "status", "problem"), [((8, 3), 422, "first <= last"), ((12, 15), 404, "no frame")])
def test_a_range_that_ends_before_it_begins_or_is_not_in_the_video_is_refused(
    client, project, square, wrong, status, problem
):
    client.paint(project, 0, square)
    plan = dict(zip(("first", "last"), wrong, strict=True))
    assert problem in client.json("POST", f"/projects/{project}/track", status, json=plan)["problem"]


@pytest.mark.parametrize("plan", [{"direction": "both"}, {"direction": "both", "first": 2}, {"direction": "forward"}])
def test_an_object_that_nobody_annotated_keeps_its_tracked_masks(client, project, square, plan):
    opened = client.http.app.services.workspace.get(project)
    for index in range(10):
        opened.track_frame(index, 3 * square, FrameResult({3: 0.5}), None)
    client.paint(project, 0, 3 * square + np.roll(square, 14, axis=1))
    before = masks(client, project)
    job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json={"object": 3, **plan}))
    assert "No annotation reaches these frames" in job["error"]["problem"]
    assert same(masks(client, project), before) == [True] * 10


def test_the_range_is_kept_in_the_project(serve, clip):
    client = serve()
    project = client.open(clip)
    assert client.json("GET", f"/projects/{project}")["range"] == {"first": None, "last": None}
    client.json("PUT", f"/projects/{project}/range", json={"first": 2, "last": 7})
    assert serve().json("GET", f"/projects/{project}")["range"] == {"first": 2, "last": 7}
    client = serve()
    client.json("PUT", f"/projects/{project}/range", 422, json={"first": 7, "last": 2})
    client.json("PUT", f"/projects/{project}/range", 404, json={"first": 10})
