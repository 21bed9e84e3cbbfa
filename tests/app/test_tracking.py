"""Tracking: what `segment` writes, from where it has to, with what a person accepted left alone."""

from __future__ import annotations

import copy
import json
import threading

import numpy as np
import pytest
import torch

import cyclevos
from cyclevos.app.projects.doubt import review_list
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.work import track_pass
from cyclevos.app.work.jobs import Job
from cyclevos.network.calibration import PACKAGED_CALIBRATION
from cyclevos.propagation.correction import PRESETS, Correction
from cyclevos.propagation.propagator import Propagator


def masks(client, project) -> list[np.ndarray]:
    return [client.mask(project, index)[0] for index in range(10)]


def segmented(network, clip, given, **options) -> dict[int, np.ndarray]:
    return {p.index: p.ids for p in cyclevos.segment(network, clip, given, **options)}


@pytest.fixture
def steps(monkeypatch) -> list[int]:
    """Indices of the frames that the propagator was asked for."""
    asked = []
    step = Propagator.advance

    def counted(self, index, *arguments):
        asked.append(index)
        return step(self, index, *arguments)

    monkeypatch.setattr(Propagator, "advance", counted)
    return asked


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
@pytest.mark.parametrize("correction", ["off", "default"])
def test_every_frame_is_what_segment_gives(client, project, clip, lively_network, square, direction, correction):
    given = {3: square, 6: np.roll(square, 8, axis=1) * 4}
    for index, mask in given.items():
        client.paint(project, index, mask)
    client.json("PATCH", f"/projects/{project}", json={"settings": {"correction": correction, "memory_every": 2}})
    client.track(project, direction)
    how = {"direction": direction, "memory_every": 2, "correction": None if correction == "off" else correction}
    expected = segmented(lively_network, clip, given, **how)
    for index, ids in enumerate(masks(client, project)):
        assert np.array_equal(ids, expected[index]), index


def test_memory_is_the_networks_own_unless_the_project_says_otherwise(client, project, clip, square, lively_network):
    assert client.json("GET", f"/projects/{project}")["settings"]["memory_every"] == "auto"
    client.paint(project, 0, square)
    seen = {}
    for memory in ({}, {"memory_every": 2, "max_memory_frames": 3}, {"memory_every": "auto", "max_memory_frames": 3}):
        saved = client.json("PATCH", f"/projects/{project}", json={"settings": memory})["settings"]
        usual = {"size": "auto", "correction": "prune", "memory_every": "auto", "max_memory_frames": "auto"}
        assert saved == usual | memory
        client.track(project)
        expected = segmented(lively_network, clip, square, **memory)
        seen[str(memory)] = np.stack(masks(client, project))
        assert all(np.array_equal(ids, expected[index]) for index, ids in enumerate(seen[str(memory)]))
    assert len({ids.tobytes() for ids in seen.values()}) > 1, "the settings count"


@pytest.mark.parametrize("wrong", [0, 1.5, "5", "none", None, True])
def test_a_memory_interval_is_a_number_or_auto(client, project, wrong):
    answer = client.json("PATCH", f"/projects/{project}", 422, json={"settings": {"memory_every": wrong}})
    assert "settings.memory_every" in answer["problem"]


def test_projects_from_before_auto_keep_their_numbers(serve, clip, tmp_path):
    project = serve().open(clip)
    file = tmp_path / "projects" / project / "project.json"
    held = json.loads(file.read_text())
    held["settings"] = {"size": "auto", "memory_every": 5, "max_memory_frames": 8, "correction": "off"}
    file.write_text(json.dumps(held))
    settings = serve().json("GET", f"/projects/{project}")["settings"]
    assert (settings["memory_every"], settings["max_memory_frames"]) == (5, 8)


def test_a_run_goes_on_where_it_was_cancelled(serve, clip, lively_network, square, cancelled_at, steps):
    client = serve()
    project = client.open(clip)
    client.paint(project, 0, square)
    with cancelled_at(4):
        job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json={}))
    assert job["status"] == "cancelled"
    assert client.json("GET", f"/projects/{project}")["tracked"] == [0, 1, 2, 3]
    client = serve()  # also after a restart
    steps.clear()
    client.track(project)
    assert steps == [4, 5, 6, 7, 8, 9]
    expected = segmented(lively_network, clip, square)
    assert all(np.array_equal(ids, expected[index]) for index, ids in enumerate(masks(client, project)))
    steps.clear()
    assert client.track(project)["result"] == {"frames": 0}
    assert steps == []


def test_a_fixed_frame_makes_only_what_may_change_run_again(
    client, project, clip, lively_network, square, monkeypatch, steps
):
    monkeypatch.setattr("cyclevos.app.projects.snapshots._EVERY", 3)
    client.paint(project, 0, square)
    client.track(project)
    first = masks(client, project)
    steps.clear()
    fixed = np.roll(square, 12, axis=1)
    client.paint(project, 7, fixed)
    client.track(project)
    assert steps == [6, 7, 8, 9]  # from the snapshot of frame 5
    expected = segmented(lively_network, clip, {0: square, 7: fixed})
    for index, ids in enumerate(masks(client, project)):
        assert np.array_equal(ids, expected[index])
        assert index >= 7 or np.array_equal(ids, first[index])


def test_a_small_object_that_is_added_later_leaves_the_size_and_earlier_frames_as_they_are(
    client, project, clip, closer_network, square, monkeypatch, steps
):
    monkeypatch.setattr("cyclevos.network.weights.load_network", lambda *_, **__: closer_network)
    monkeypatch.setattr("cyclevos.app.projects.snapshots._EVERY", 3)
    both = np.roll(square, 8, axis=1)
    both[18:23, 30:35] = 4
    client.paint(project, 0, square)
    client.track(project)
    steps.clear()
    client.paint(project, 7, both)
    client.track(project)
    assert steps == [6, 7, 8, 9]
    expected = segmented(closer_network, clip, {0: square, 7: both}, size=32)
    for index, ids in enumerate(masks(client, project)):
        assert np.array_equal(ids, expected[index]), index


def test_a_copy_goes_on_from_snapshots_that_it_shares_until_either_makes_its_own(
    client, project, clip, lively_network, square, monkeypatch, steps
):
    monkeypatch.setattr("cyclevos.app.projects.snapshots._EVERY", 3)
    client.paint(project, 0, square)
    client.track(project)
    copy = client.json("POST", f"/projects/{project}/duplicate", 201)["id"]
    opened = client.http.app.services.workspace.get(project)
    held = {path.name: path.stat() for path in opened.state_folder.rglob("*.safetensors")}
    assert {each.st_nlink for each in held.values()} == {2}
    fixed = np.roll(square, 12, axis=1)
    client.paint(copy, 7, fixed)
    steps.clear()
    client.track(copy)
    assert steps == [6, 7, 8, 9]  # from the snapshot of frame 5
    expected = segmented(lively_network, clip, {0: square, 7: fixed})
    assert all(np.array_equal(ids, expected[index]) for index, ids in enumerate(masks(client, copy)))
    assert client.track(project)["result"] == {"frames": 0}
    with opened.steps.versions.run("Track forward"):  # whose snapshots may be ahead of the masks that are copied
        other = client.http.app.services.workspace.duplicate(project)["id"]
    assert not (opened.folder.with_name(other) / "state").exists()


def test_accepted_frames_are_never_touched(client, project, square):
    client.paint(project, 0, square)
    client.track(project)
    accepted = client.mask(project, 6)[0]
    answer = client.json("POST", f"/projects/{project}/frames/6/accept", json={"accepted": True})
    assert answer["status"] == "accepted"
    client.paint(project, 0, np.roll(square, 4, axis=0))
    client.json("PATCH", f"/projects/{project}", json={"settings": {"memory_every": 1}})
    client.track(project)
    assert np.array_equal(client.mask(project, 6)[0], accepted)
    assert client.json("GET", f"/projects/{project}")["marks"]["6"]["accepted"]


def test_an_object_that_was_erased_from_a_frame_stays_away_there(client, project, square):
    client.paint(project, 0, square)
    client.track(project)
    assert client.mask(project, 5)[0].any()
    client.paint(project, 5, np.zeros_like(square))
    client.track(project)
    assert not client.mask(project, 5)[0].any()


def test_strokes_made_while_tracking_runs_are_kept(client, project, square, monkeypatch):
    client.paint(project, 0, square)
    here, go = threading.Event(), threading.Event()
    report = Job.progress

    def wait_at_two(self, done, total, note=""):
        report(self, done, total, note)
        if done == 2:
            here.set()
            assert go.wait(20)

    monkeypatch.setattr(Job, "progress", wait_at_two)
    job = client.json("POST", f"/projects/{project}/track", 202, json={})
    assert here.wait(20)
    painted = np.zeros_like(square)
    painted[:5, :5] = 3
    client.paint(project, 6, painted)
    again = client.json("POST", f"/projects/{project}/track", 409, json={})
    assert "already" in again["problem"]
    go.set()
    client.finish(job)
    shown = client.mask(project, 6)[0]
    assert (shown[:5, :5] == 3).all()
    assert (shown == 1).any()  # the other object comes from tracking


def test_before_is_what_the_network_said_without_correction(client, project, clip, lively_network, square, monkeypatch):
    # Of this network's random weights nothing is expected: whatever the correction does counts.
    monkeypatch.setitem(PRESETS, "default", Correction.preset("default", accept="always"))
    client.paint(project, 0, square)
    settings = {"correction": "default", "memory_every": 5}
    client.json("PATCH", f"/projects/{project}", json={"settings": settings})
    client.track(project)
    corrected = client.json("GET", f"/projects/{project}")["corrected"]
    assert corrected == [5]
    plain = segmented(lively_network, clip, square)
    response = client.http.get(f"/api/projects/{project}/before/5")
    assert np.array_equal(np.frombuffer(response.content, np.uint8).reshape(24, 40), plain[5])
    client.json("GET", f"/projects/{project}/before/4", 404)
    client.json("PATCH", f"/projects/{project}", json={"settings": {"correction": "off"}})
    client.track(project)
    assert client.json("GET", f"/projects/{project}")["corrected"] == []


def test_both_directions_forget_what_an_earlier_run_looked_back_from(client, project, clip, lively_network, square):
    """An object whose only mark is taken back must not come back out of what a pass kept."""
    client.paint(project, 2, square)
    client.paint(project, 8, np.roll(square, 8, axis=1) * 4)
    client.track(project, "both")
    client.json("DELETE", f"/projects/{project}/masks/8")
    client.track(project, "both")
    expected = segmented(lively_network, clip, {2: square}, direction="both")
    assert all(np.array_equal(ids, expected[index]) for index, ids in enumerate(masks(client, project)))


@pytest.mark.parametrize("at", [3, 14])
def test_both_directions_go_on_where_they_were_cancelled(
    client, project, clip, lively_network, square, monkeypatch, steps, tmp_path, at
):
    client.paint(project, 4, square)
    report, seen = Job.progress, []

    def until(self, done, total, note=""):
        seen.append(done)
        if len([each for each in seen if each]) == at:
            self.cancel()
        report(self, done, total, note)

    monkeypatch.setattr(Job, "progress", until)
    job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json={"direction": "both"}))
    assert job["status"] == "cancelled"
    monkeypatch.setattr(Job, "progress", report)
    client.track(project, "both")
    assert len(steps) == 5 + 10, "no frame was done twice"
    expected = segmented(lively_network, clip, {4: square}, direction="both")
    assert all(np.array_equal(ids, expected[index]) for index, ids in enumerate(masks(client, project)))
    left = {path.name for path in (tmp_path / "projects" / project / "state").iterdir() if path.is_dir()}
    assert left == {"forward"}
    steps.clear()
    assert client.track(project, "both")["result"] == {"frames": 0}
    assert steps == []


def test_another_dtype_gives_other_results(serve, clip, square, steps):
    client = serve(dtype="float32")
    project = client.open(clip)
    client.paint(project, 0, square)
    client.track(project)
    client = serve(dtype="bfloat16")
    steps.clear()
    client.track(project)
    assert len(steps) == 10


@pytest.mark.parametrize(("here", "again"), [(torch.float32, 0), (torch.bfloat16, 5)])
def test_a_cancelled_run_goes_on_only_in_the_dtype_that_auto_stood_for(
    serve, clip, square, monkeypatch, cancelled_at, steps, lively_network, here, again
):
    """The second server may run on another machine, where auto stands for another dtype."""
    chosen = [torch.float32]
    monkeypatch.setattr("cyclevos.network.weights.resolve_dtype", lambda name, device: chosen[0])
    networks = {dtype: copy.deepcopy(lively_network).to(dtype) for dtype in (torch.float32, torch.bfloat16)}
    monkeypatch.setattr("cyclevos.network.weights.load_network", lambda *_, **__: networks[chosen[0]])
    client = serve()
    project = client.open(clip)
    client.paint(project, 0, square)
    with cancelled_at(5):
        job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json={}))
    assert job["status"] == "cancelled"
    chosen[0] = here
    client = serve()
    steps.clear()
    client.track(project)
    assert steps == list(range(5 - again, 10))
    expected = segmented(networks[here], clip, square)
    assert all(np.array_equal(ids, expected[index]) for index, ids in enumerate(masks(client, project)))


def test_an_object_is_not_deleted_under_a_job(client, project, square, monkeypatch):
    client.paint(project, 0, square)
    go, report = threading.Event(), Job.progress

    def wait(self, done, total, note=""):
        report(self, done, total, note)
        assert go.wait(20)

    monkeypatch.setattr(Job, "progress", wait)
    job = client.json("POST", f"/projects/{project}/track", 202, json={})
    answer = client.json("DELETE", f"/projects/{project}/objects/1", 409)
    assert "at work" in answer["problem"]
    go.set()
    client.finish(job)
    client.json("DELETE", f"/projects/{project}/objects/1", 204)


def test_nothing_marked_is_said_in_a_sentence(client, project):
    job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json={}))
    assert job["status"] == "failed"
    assert job["error"] == {
        "problem": "No frame is marked yet.",
        "remedy": "Paint an object on any frame first, then track.",
        "kind": "AppError",
    }


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), RuntimeError("surprise")]
)
def test_running_out_of_memory_is_reported_and_survived(client, project, square, monkeypatch, error):
    client.paint(project, 0, square)
    frames = track_pass.segment_frames

    def broken(*arguments, **options):
        for count, item in enumerate(frames(*arguments, **options)):
            if count == 3:
                raise error
            yield item

    monkeypatch.setattr(track_pass, "segment_frames", broken)
    job = client.finish(client.json("POST", f"/projects/{project}/track", 202, json={}))
    assert job["status"] == "failed"
    assert ("memory" in job["error"]["problem"]) is ("surprise" not in str(error))
    monkeypatch.setattr(track_pass, "segment_frames", frames)
    client.track(project)
    assert client.json("GET", f"/projects/{project}")["tracked"] == list(range(10))


def test_jobs_run_one_at_a_time_and_one_that_waits_can_be_cancelled(client, clip, square, monkeypatch):
    projects = [client.open(clip), client.open(clip)]
    for project in projects:
        client.paint(project, 0, square)
    go = threading.Event()
    report = Job.progress

    def wait(self, done, total, note=""):
        report(self, done, total, note)
        assert go.wait(20)

    monkeypatch.setattr(Job, "progress", wait)
    first, second = (client.json("POST", f"/projects/{project}/track", 202, json={}) for project in projects)
    client.wait(lambda: client.json("GET", f"/jobs/{first['id']}")["status"] == "running")
    assert client.json("GET", f"/jobs/{second['id']}")["status"] == "queued"
    assert client.json("DELETE", f"/jobs/{second['id']}")["status"] == "cancelled"
    go.set()
    assert client.finish(first)["status"] == "done"
    assert client.json("GET", f"/projects/{projects[1]}")["tracked"] == []


def test_the_review_list_leaves_out_what_a_person_dealt_with(client, project, square):
    client.paint(project, 0, square)
    client.track(project)
    review = client.json("GET", f"/projects/{project}")["review"]
    assert review
    assert 0 not in [entry["frame"] for entry in review]
    values = {k: v[0]["1"] for k, v in client.json("GET", f"/projects/{project}")["results"].items() if v[0]}
    assert review[0]["reliability"] == min(values.values())
    client.json("POST", f"/projects/{project}/frames/{review[0]['frame']}/accept", json={"accepted": True})
    later = client.json("GET", f"/projects/{project}")["review"]
    assert review[0]["frame"] not in [entry["frame"] for entry in later]


def test_pages_are_told_whether_reliability_is_calibrated(client, project, square, monkeypatch, lively_network):
    client.paint(project, 0, square)
    client.track(project)
    told = client.json("GET", f"/projects/{project}")
    assert {row[2] for row in told["results"].values() if row[0]} == {False}
    assert {entry["calibrated"] for entry in told["review"]} == {False}
    before = {index: row[0] for index, row in told["results"].items()}
    monkeypatch.setattr(lively_network, "calibration", PACKAGED_CALIBRATION)
    client.track(project)  # the numbers are others now, so every frame is done again
    told = client.json("GET", f"/projects/{project}")
    assert {row[2] for row in told["results"].values() if row[0]} == {True}
    assert {entry["calibrated"] for entry in told["review"]} == {True}
    assert {index: row[0] for index, row in told["results"].items()} != before


@pytest.mark.parametrize(
    ("values", "listed"),
    [([0.95, 0.6, 0.97, 0.8, 0.9], [2, 4]), ([0.95, 0.91, 0.97, 0.93, 0.9], [5])],
    ids=["some are in doubt", "none is"],
)
def test_the_review_list_holds_doubtful_frames_or_the_least_certain_one(serve, clip, values, listed):
    client = serve()
    opened = client.http.app.services.workspace.get(client.open(clip))
    nothing = np.zeros((24, 40), np.uint8)
    for index, value in enumerate(values, start=1):
        opened.track_frame(index, nothing, FrameResult({1: value}), None)
    assert [entry["frame"] for entry in review_list(opened)] == listed


def test_a_heat_map_can_be_cancelled_between_its_steps(client, project, square, cancelled_at):
    client.paint(project, 0, square)
    with cancelled_at(2):
        job = client.finish(client.json("POST", f"/projects/{project}/heat", 202, json={"frame": 4, "object": 1}))
    assert (job["status"], job["done"], job["total"]) == ("cancelled", 1, 50)
    client.json("GET", f"/projects/{project}/heat/4/1", 404)


def test_a_heat_map_is_drawn_on_demand(client, project, square, monkeypatch):
    monkeypatch.setattr("cyclevos.app.work.heat._STEPS", 2)
    client.paint(project, 0, square)
    client.json("GET", f"/projects/{project}/heat/4/1", 404)
    job = client.finish(client.json("POST", f"/projects/{project}/heat", 202, json={"frame": 4, "object": 1}))
    assert job["result"] == {"frame": 4, "object": 1, "reference": 0}
    response = client.http.get(f"/api/projects/{project}/heat/4/1")
    assert response.headers["content-type"] == "image/jpeg"
    alone = client.finish(client.json("POST", f"/projects/{project}/heat", 202, json={"frame": 0, "object": 1}))
    assert "marked in no other frame" in alone["error"]["problem"]
