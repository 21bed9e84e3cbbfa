"""Deleted projects: kept, restored, removed for good; and when deleting is refused."""

from __future__ import annotations

import shutil
import threading
import time

import numpy as np
import pytest
from slow_places import Slow

from cyclevos.app.errors import GoneError
from cyclevos.app.projects import restoring, trash
from cyclevos.app.projects.folder_lock import FolderLock
from cyclevos.app.projects.kept_contents import KeptContents


@pytest.fixture
def project(client, clip, square) -> str:
    project = client.open(clip)
    client.paint(project, 3, square)
    return project


def listed(client) -> list[str]:
    return [each["id"] for each in client.json("GET", "/projects")]


def test_a_deleted_project_is_restored_as_it_was(client, project, square):
    deleted = client.json("DELETE", f"/projects/{project}")["deleted"]
    assert listed(client) == []
    (entry,) = client.json("GET", "/deleted")
    assert (entry["id"], entry["project"], entry["marked"]) == (deleted, project, 1)
    assert abs(entry["deleted"] - time.time()) < 60
    answer = client.json("GET", f"/projects/{project}", 410)
    assert answer["problem"] == f"The project {project} was deleted."
    assert "Restore it under Deleted" in answer["remedy"]
    assert client.json("POST", f"/deleted/{deleted}")["id"] == project
    assert client.json("GET", "/deleted") == []
    np.testing.assert_array_equal(client.mask(project, 3)[0], square)
    client.json("POST", f"/projects/{project}/undo")
    assert not client.mask(project, 3)[0].any()


def test_a_stroke_of_a_page_that_still_shows_it_is_refused_until_it_is_back(client, project, square):
    tag = client.mask(project, 1)[1]
    deleted = client.json("DELETE", f"/projects/{project}")["deleted"]
    client.paint(project, 1, square, tag, expect=410)
    client.json("POST", f"/deleted/{deleted}")
    client.paint(project, 1, square, tag)
    np.testing.assert_array_equal(client.mask(project, 1)[0], square)


def test_a_project_whose_id_was_taken_meanwhile_gets_another(client, project, options, square):
    shutil.copytree(options.projects / project, options.projects / "aside")
    deleted = client.json("DELETE", f"/projects/{project}")["deleted"]
    (options.projects / "aside").rename(options.projects / project)  # by a person, who has a copy elsewhere
    client.json("POST", f"/projects/{project}/undo")
    restored = client.json("POST", f"/deleted/{deleted}")["id"]
    assert restored != project
    assert not client.mask(project, 3)[0].any()
    np.testing.assert_array_equal(client.mask(restored, 3)[0], square)


def test_a_stroke_for_a_deleted_project_never_reaches_a_new_one_of_the_same_name(client, project, clip, square):
    tag = client.mask(project, 1)[1]
    deleted = client.json("DELETE", f"/projects/{project}")["deleted"]
    new = client.open(clip)
    client.paint(project, 1, square, tag, expect=410)
    assert client.json("GET", f"/projects/{new}")["marks"] == {}
    assert client.json("POST", f"/deleted/{deleted}")["id"] == project
    client.paint(project, 1, square, tag)


def test_two_projects_of_one_id_are_kept_apart(client, project, options):
    shutil.copytree(options.projects / project, options.projects / "aside")
    client.json("DELETE", f"/projects/{project}")
    (options.projects / "aside").rename(options.projects / project)
    client.json("DELETE", f"/projects/{project}")
    assert len({each["id"] for each in client.json("GET", "/deleted")}) == 2


def test_deleting_is_refused_while_a_job_works_on_it(client, project, go_on):
    job = client.json("POST", f"/projects/{project}/track", 202, json={"direction": "forward"})
    for method, path in (("DELETE", ""), ("POST", "/duplicate")):
        answer = client.json(method, f"/projects/{project}{path}", 409)
        assert answer["problem"] == f"The app is still working on {project}."
    go_on.set()
    client.finish(job)
    client.json("DELETE", f"/projects/{project}")


def test_deleting_and_renaming_are_refused_while_another_server_has_it_open(serve, clip):
    client = serve()
    project = client.open(clip)
    client = serve()
    other = FolderLock(client.http.app.services.workspace.projects / project)
    assert "open in another cyclevos app" in client.json("DELETE", f"/projects/{project}", 409)["problem"]
    client.json("PATCH", f"/projects/{project}", 409, json={"name": "Mine"})
    assert listed(client) == [project]
    other.release()
    client.json("DELETE", f"/projects/{project}")


def test_where_nothing_can_be_moved_the_project_stays_and_goes_on(client, project, square, options):
    (options.projects / ".deleted").write_text("in the way")
    answer = client.json("DELETE", f"/projects/{project}", 507)
    assert "cannot be written to" in answer["problem"]
    assert listed(client) == [project]
    client.paint(project, 7, square)
    np.testing.assert_array_equal(client.mask(project, 7)[0], square)


def test_what_is_removed_for_good_is_gone_but_the_video_stays(client, project, clip):
    deleted = client.json("DELETE", f"/projects/{project}")["deleted"]
    client.json("DELETE", f"/deleted/{deleted}", 204)
    assert client.json("GET", "/deleted") == []
    client.json("POST", f"/deleted/{deleted}", 404)
    client.json("GET", f"/projects/{project}", 404)
    assert [*client.http.app.services.workspace.projects.rglob("*.png")] == []
    assert len([*clip.iterdir()]) == 10


def test_deleted_projects_are_kept_for_thirty_days(options, client, project, monkeypatch):
    client.json("DELETE", f"/projects/{project}")
    now = time.time()
    monkeypatch.setattr(trash.time, "time", lambda: now + 29 * 24 * 3600)
    assert len(client.json("GET", "/deleted")) == 1
    monkeypatch.setattr(trash.time, "time", lambda: now + 31 * 24 * 3600)
    assert client.json("GET", "/deleted") == []
    assert [*(options.projects / ".deleted").iterdir()] == []


def test_what_a_kill_left_half_removed_is_removed_and_never_listed(client, project, options):
    client.json("DELETE", f"/projects/{project}")
    (kept,) = (options.projects / ".deleted").iterdir()
    kept.rename(kept.with_name(f".removing-{kept.name}"))
    assert client.json("GET", "/deleted") == []
    assert [*(options.projects / ".deleted").iterdir()] == []


@pytest.mark.parametrize("entry", ["1-clip", "..", "%2e%2e", "x", ".removing-1-clip"])
def test_what_is_not_in_the_trash_is_neither_restored_nor_removed(client, project, options, entry):
    for method in ("POST", "DELETE"):
        assert client.http.request(method, f"/api/deleted/{entry}").status_code in (404, 405)
    assert listed(client) == [project]


def test_deleted_projects_survive_a_restart(serve, clip, square):
    client = serve()
    project = client.open(clip)
    client.paint(project, 3, square)
    deleted = client.json("DELETE", f"/projects/{project}")["deleted"]
    client = serve()
    client.json("POST", f"/deleted/{deleted}")
    np.testing.assert_array_equal(client.mask(project, 3)[0], square)


@pytest.mark.parametrize("kind", ["stroke", "name", "undo"])
def test_what_was_under_way_when_it_was_deleted_does_not_reach_the_restored_one(
    client, project, square, monkeypatch, kind
):
    monkeypatch.setattr(restoring, "_MOST_LOCKED", 0)  # undoing is prepared while others go on
    other = np.roll(square, 9, axis=1)
    before, path = client.http.app.services.workspace.get(project), f"/projects/{project}"
    client.paint(project, 3, other)
    tag = client.mask(project, 3)[1].strip('"')
    slow = Slow(monkeypatch, KeptContents, "lay")
    answers = []
    going = threading.Thread(target=lambda: answers.append(client.http.post(f"/api{path}/undo")))
    if kind == "undo":
        going.start()
        assert slow.reached.wait(20)
    client.json("POST", f"/deleted/{client.json('DELETE', path)['deleted']}")
    np.testing.assert_array_equal(client.mask(project, 3)[0], other)
    slow.go_on.set()
    if kind == "undo":
        going.join()
        assert answers[0].status_code == 410, answers[0].text
    elif kind == "stroke":
        with pytest.raises(GoneError):
            before.paint(3, square, tag)
    else:
        with pytest.raises(GoneError):
            before.change(lambda file: setattr(file, "name", "another"))
    np.testing.assert_array_equal(client.mask(project, 3)[0], other)
    client.json("POST", f"{path}/undo")
    np.testing.assert_array_equal(client.mask(project, 3)[0], square)
