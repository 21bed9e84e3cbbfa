"""Several projects tracked one after another, with nobody looking."""

from __future__ import annotations

import shutil
import threading

import pytest

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


def test_what_a_server_did_not_come_to_is_said_after_a_restart(serve, clip, square, go_on):
    client = serve()
    made = [client.open(clip) for _ in range(3)]
    for project in made:
        client.paint(project, 0, square)
    client.json("POST", "/batch", 202, json={"projects": made})
    client.wait(lambda: statuses(client)[0] == "running" and client.json("GET", "/batch")[0].get("done", 0) >= 4)
    threading.Timer(0.2, go_on.set).start()
    client = serve()
    told = client.json("GET", "/batch")
    assert [(each["project"], each["status"]) for each in told] == [(project, "failed") for project in made]
    assert "stopped before" in told[1]["error"]["problem"]
    client.json("POST", "/batch", 202, json={"projects": made})
    client.wait(lambda: ended(client))
    assert statuses(client) == ["done"] * 3
    client = serve()
    assert client.json("GET", "/batch") == [], "a list that came to its end is not kept"


def test_a_second_server_of_the_folder_does_not_take_the_list_for_cut_off(client, projects, go_on):
    services = client.http.app.services
    client.json("POST", "/batch", 202, json={"projects": [projects[0]]})
    second = TrackBatch(services.workspace, services.queue, services.network)
    assert second.state() == []
    second.close()
    go_on.set()
    client.wait(lambda: ended(client))
    assert statuses(client) == ["done"]
