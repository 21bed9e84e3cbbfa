"""Several projects tracked one after another, with nobody looking."""

from __future__ import annotations

import json
import shutil
import signal
import threading

import httpx
import numpy as np
import pytest
import torch
from waiting import wait

import cyclevos
from cyclevos.app.work.batch import TrackBatch


@pytest.fixture
def projects(client, clip, square):
    """Three projects; the one in the middle has no mark."""
    made = [client.open(clip) for _ in range(3)]
    client.paint(made[0], 0, square)
    client.paint(made[2], 0, square)
    for number, project in enumerate(made):
        client.json("PATCH", f"/projects/{project}", json={"name": f"Take {number}"})
    return made


def statuses(client) -> list[str]:
    return [each["status"] for each in client.json("GET", "/batch")]


def ended(client) -> bool:
    return not {"queued", "running"} & {*statuses(client)}


def test_one_that_fails_does_not_stop_the_next_and_is_named(client, projects):
    client.json("POST", "/batch", 202, json={"projects": projects})
    client.wait(lambda: ended(client))
    told = client.json("GET", "/batch")
    assert [(each["name"], each["status"]) for each in told] == [
        ("Take 0", "done"), ("Take 1", "failed"), ("Take 2", "done")
    ]  # fmt: skip
    assert told[0]["result"] == {"frames": 10}
    assert told[1]["error"]["problem"] == "No frame is marked yet."
    for project in (projects[0], projects[2]):
        assert client.json("GET", f"/projects/{project}")["tracked"] == [*range(10)]


def test_they_are_tracked_in_the_direction_that_was_chosen(client, projects, square):
    client.paint(projects[1], 6, square)
    client.json("POST", "/batch", 202, json={"projects": [projects[1]], "direction": "backward"})
    client.wait(lambda: ended(client))
    assert client.json("GET", f"/projects/{projects[1]}")["tracked"] == [*range(7)]


def test_one_is_tracked_at_a_time_and_one_or_all_can_be_stopped(client, projects, square, go_on):
    client.paint(projects[1], 0, square)
    client.json("POST", "/batch", 202, json={"projects": projects})
    client.wait(lambda: statuses(client)[0] == "running" and client.json("GET", "/batch")[0].get("done", 0) >= 4)
    assert statuses(client) == ["running", "queued", "queued"]
    client.json("DELETE", f"/batch/{projects[1]}")
    assert statuses(client) == ["running", "cancelled", "queued"]
    client.json("DELETE", f"/batch/{projects[1]}", 404)
    client.json("DELETE", f"/batch/{projects[0]}")
    go_on.set()
    client.wait(lambda: ended(client))
    assert statuses(client) == ["cancelled", "cancelled", "done"]
    assert len(client.json("GET", f"/projects/{projects[0]}")["tracked"]) < 10
    assert client.json("GET", f"/projects/{projects[1]}")["tracked"] == []

    go_on.clear()
    client.paint(projects[2], 9, square)
    client.json("POST", "/batch", 202, json={"projects": projects})
    client.wait(lambda: "running" in statuses(client))
    client.json("DELETE", "/batch")
    go_on.set()
    client.wait(lambda: ended(client))
    assert statuses(client) == ["cancelled"] * 3
    assert client.json("DELETE", "/batch") == []


def test_the_list_calls_a_project_what_it_is_called_now_or_was_called_last(client, projects):
    client.json("POST", "/batch", 202, json={"projects": projects[:2]})
    client.wait(lambda: ended(client))
    client.json("PATCH", f"/projects/{projects[0]}", json={"name": "Zweite Fassung"})
    client.json("DELETE", f"/projects/{projects[1]}")
    assert [entry["name"] for entry in client.json("GET", "/batch")] == ["Zweite Fassung", "Take 1"]


def test_a_project_that_waits_is_not_added_again(client, projects, go_on):
    client.json("POST", "/batch", 202, json={"projects": [projects[0], projects[2]]})
    client.json("POST", "/batch", 202, json={"projects": [projects[2], projects[1], projects[2]]})
    assert [each["project"] for each in client.json("GET", "/batch")] == [projects[0], projects[2], projects[1]]
    go_on.set()
    client.wait(lambda: ended(client))
    client.json("POST", "/batch", 202, json={"projects": [projects[1]]})
    assert [each["project"] for each in client.json("GET", "/batch")] == [projects[1]], "the ended list is forgotten"


def test_a_video_that_is_gone_and_a_project_that_is_none_are_said_by_name(serve, clip, square):
    client = serve()
    other = shutil.copytree(clip, clip.with_name("other"))
    lost, kept = client.open(clip), client.open(other)
    for project in (lost, kept):
        client.paint(project, 0, square)
    client = serve()
    shutil.rmtree(clip)
    client.json("POST", "/batch", 202, json={"projects": [lost, "../other", kept]})
    client.wait(lambda: ended(client))
    told = client.json("GET", "/batch")
    assert [each["status"] for each in told] == ["failed", "failed", "done"]
    assert "does not exist" in told[0]["error"]["problem"]
    assert told[1]["error"]["kind"] == "NotFoundError"


@pytest.fixture
def stopped_in_the_middle(serve, clip, square, go_on) -> list[str]:
    """Three projects: a person stopped the first, and the server ended while it tracked the second."""
    client = serve()
    made = [client.open(clip) for _ in range(3)]
    for project in made:
        client.paint(project, 0, square)
    client.json("POST", "/batch", 202, json={"projects": made})
    client.json("DELETE", f"/batch/{made[0]}")
    client.wait(lambda: statuses(client)[1] == "running" and client.json("GET", "/batch")[1].get("done", 0) >= 4)
    threading.Timer(0.2, go_on.set).start()
    serve.stop()
    return made


def test_a_server_that_is_started_again_goes_on_with_the_list(serve, stopped_in_the_middle, go_on):
    go_on.set()
    client = serve()
    client.wait(lambda: ended(client))
    told = client.json("GET", "/batch")
    assert [each["project"] for each in told] == stopped_in_the_middle
    assert [each["status"] for each in told] == ["cancelled", "done", "done"], "what a person stopped stays so"
    assert told[1]["result"]["frames"] < 10, "it goes on where it stopped"
    for project in stopped_in_the_middle[1:]:
        assert client.json("GET", f"/projects/{project}")["tracked"] == [*range(10)]
    client = serve()
    assert client.json("GET", "/batch") == [], "a list that came to its end is not kept"


def test_a_project_during_which_the_server_is_killed_every_time_is_left_out(serve, stopped_in_the_middle, options):
    kept = options.projects / ".batch.json"
    records = json.loads(kept.read_bytes())
    assert [(each["status"], each["begun"]) for each in records[1:]] == [("queued", 0)] * 2, "being stopped is no kill"
    records[1] |= {"status": "running", "begun": 3}
    kept.write_text(json.dumps(records))
    client = serve()
    client.wait(lambda: ended(client))
    told = client.json("GET", "/batch")
    assert [each["status"] for each in told] == ["cancelled", "failed", "done"]
    assert "killed 3 times" in told[1]["error"]["problem"]


def test_a_kill_in_the_middle_of_a_list_loses_nothing_and_the_next_server_finishes_it(
    process, clip, square, lively_network
):
    """A real process, a real signal."""
    server, address, first = process()
    with httpx.Client(timeout=30, base_url=f"{address}/api") as http:
        second = http.post("/projects", json={"path": str(clip)}).json()["id"]
        for project in (first, second):
            tag = http.get(f"/projects/{project}/masks/0").headers["etag"]
            painted = http.put(f"/projects/{project}/masks/0", content=square.tobytes(), headers={"If-Match": tag})
            assert painted.status_code == 200, painted.text
            http.patch(f"/projects/{project}", json={"settings": {"size": 64}})
        http.post("/batch", json={"projects": [first, second]})
        wait(lambda: len(http.get(f"/projects/{first}").json()["tracked"]) >= 3, 60)
    server.send_signal(signal.SIGKILL)
    server.wait()
    server, address, _ = process()
    with httpx.Client(timeout=30, base_url=f"{address}/api") as http:
        state = http.get(f"/projects/{first}").json()
        assert state["marks"] == {"0": {"objects": [1], "accepted": False}}
        assert state["settings"]["size"] == 64
        assert len(state["tracked"]) >= 3
        # The list is forgotten if the server was killed after its end.
        wait(lambda: all(len(http.get(f"/projects/{each}").json()["tracked"]) == 10 for each in (first, second)), 60)
        shown = [http.get(f"/projects/{first}/masks/{index}").content for index in range(10)]
    same = lively_network.to(memory_format=torch.channels_last)  # as it is loaded: layouts round differently
    for p in cyclevos.segment(same, clip, square, size=64):
        assert p.ids.any()
        assert np.array_equal(np.frombuffer(shown[p.index], np.uint8).reshape(24, 40), p.ids), p.index
    with httpx.stream("GET", f"{address}/api/projects/{first}/events", timeout=30) as news:
        lines = news.iter_lines()
        next(lines)
        server.terminate()
        list(lines)  # ends, instead of breaking off
    assert server.wait(20) in (0, -signal.SIGTERM)


def test_a_second_server_of_the_folder_does_not_take_the_list_for_cut_off(client, projects, go_on):
    services = client.http.app.services
    client.json("POST", "/batch", 202, json={"projects": [projects[0]]})
    second = TrackBatch(services.workspace, services.queue, services.network)
    assert second.state() == []
    second.close()
    go_on.set()
    client.wait(lambda: ended(client))
    assert statuses(client) == ["done"]
