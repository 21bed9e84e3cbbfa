"""Adapting the network to a project's video: what tracking uses then, what survives, and the way back."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import cyclevos
from cyclevos.adaptation import adapting
from cyclevos.adaptation.settings import PRESETS, Adaptation

STEPS = 3


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch):
    monkeypatch.setitem(
        PRESETS, "default", Adaptation(steps=STEPS, rate=1e-3, size=None, gap=4, least_area=1e-6, guard=False)
    )


@pytest.fixture
def marked(client, project, square) -> str:
    client.paint(project, 0, square)
    return project


def adapt(client, project: str, status: str = "done") -> dict:
    job = client.finish(client.json("POST", f"/projects/{project}/adapt", 202))
    assert job["status"] == status, job["error"]
    return job


def state(client, project: str) -> dict:
    return client.json("GET", f"/projects/{project}")


def masks(client, project: str) -> np.ndarray:
    return np.stack([client.mask(project, index)[0] for index in range(10)])


def test_tracking_uses_the_adapted_network_until_it_is_told_otherwise_and_both_can_be_compared(
    serve, clip, square, lively_network
):
    client = serve()
    project = client.open(clip)
    client.paint(project, 0, square)
    client.track(project)
    before = masks(client, project)
    assert (state(client, project)["adapted"], state(client, project)["adaptation"]) == (False, None)
    told = adapt(client, project)["result"]
    assert (told["steps"], told["times"], told["objects"]) == (STEPS, 1, {"0": [1]})
    assert np.array_equal(masks(client, project), before), "it changes no mask by itself"

    client = serve()  # the weights survive a restart
    assert (state(client, project)["adapted"], state(client, project)["adaptation"]) == (True, told)
    assert client.track(project)["result"]["frames"] == 10
    adapted = cyclevos.adapt(lively_network, clip, square, direction="both")
    expected = np.stack([p.ids for p in cyclevos.segment(adapted, clip, square)])
    after = masks(client, project)
    assert np.array_equal(after, expected)
    assert not np.array_equal(after, before)
    version = client.json("GET", f"/projects/{project}/versions")[-1]
    assert version["title"].startswith("Track forward, adapted network, ")
    changed = client.json("GET", f"/projects/{project}/versions/{version['id']}")["frames"]
    assert sorted(map(int, changed)) == [k for k in range(10) if not np.array_equal(before[k], after[k])]

    assert client.json("PATCH", f"/projects/{project}", json={"adapted": False})["adapted"] is False
    client.track(project)
    assert np.array_equal(masks(client, project), before)
    client.json("PATCH", f"/projects/{project}", json={"adapted": True})
    client.track(project)
    assert np.array_equal(masks(client, project), after)


def test_a_copy_is_tracked_with_the_same_adapted_network(client, marked):
    adapt(client, marked)
    client.track(marked)
    copied = client.json("POST", f"/projects/{marked}/duplicate", 201)["id"]
    client.wait(lambda: state(client, copied)["reading"] is None)
    assert state(client, copied)["adapted"] is True
    assert client.track(copied)["result"] == {"frames": 0}


def test_a_cancelled_adaptation_leaves_everything_as_it_was(client, marked, opened, cancelled_at):
    adapt(client, marked)
    before, told = (opened.folder / "adapted/weights.safetensors").read_bytes(), state(client, marked)["adaptation"]
    with cancelled_at(STEPS - 1):
        adapt(client, marked, "cancelled")
    assert state(client, marked)["adaptation"] == told
    assert (opened.folder / "adapted/weights.safetensors").read_bytes() == before
    client.json("PATCH", f"/projects/{marked}", json={"adapted": False})
    with cancelled_at(1):
        adapt(client, marked, "cancelled")
    assert state(client, marked)["adapted"] is False


def test_further_steps_go_on_from_the_adapted_network_with_what_was_marked_since(client, marked, square, monkeypatch):
    monkeypatch.setitem(
        PRESETS, "default", replace(PRESETS["default"], rate=1e-6)
    )  # masks of random weights vanish soon
    adapt(client, marked)
    client.paint(marked, 5, np.roll(square, 6, axis=1))
    told = adapt(client, marked)["result"]
    assert (told["steps"], told["times"], sorted(told["objects"])) == (2 * STEPS, 2, ["0", "5"])
    client.json("PATCH", f"/projects/{marked}", json={"adapted": False})
    told = adapt(client, marked)["result"]
    assert (told["steps"], told["times"]) == (STEPS, 1), "from the network as it was"


def test_what_cannot_be_adapted_is_refused_in_words(client, project, square, monkeypatch):
    assert "No frame is marked yet" in adapt(client, project, "failed")["error"]["problem"]
    answer = client.json("PATCH", f"/projects/{project}", 400, json={"adapted": True})
    assert "no weights that were adapted to this video" in answer["problem"]
    client.paint(project, 0, square)
    monkeypatch.setattr(adapting, "cyclic_loss", lambda *arguments: None)
    problem = adapt(client, project, "failed")["error"]["problem"]
    assert "The network was not adapted: no mask could be carried to another frame and back." in problem
    assert state(client, project)["adapted"] is False


@pytest.mark.parametrize("fault", ["gone", "cut short", "of other weights"])
def test_adapted_weights_that_cannot_be_used_stop_tracking_until_the_network_is_used_as_it_was(
    client, marked, opened, fault, monkeypatch
):
    adapt(client, marked)
    file = opened.folder / "adapted/weights.safetensors"
    if fault == "gone":
        file.unlink()
    elif fault == "cut short":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        monkeypatch.setattr("cyclevos.network.settings.NetworkSettings.weights_sha256", "0" * 64)
    job = client.finish(client.json("POST", f"/projects/{marked}/track", 202, json={}))
    assert job["status"] == "failed"
    assert "adapted to this video" in job["error"]["problem"]
    client.json("PATCH", f"/projects/{marked}", json={"adapted": False})
    client.track(marked)
