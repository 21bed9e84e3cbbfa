"""Undoing and redoing steps of many frames, and bringing back what tracking replaced: nobody waits, none is lost."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from slow_places import Slow

from cyclevos.app.errors import UnsavedError
from cyclevos.app.projects import mask_store, restoring
from cyclevos.app.projects.draft import Draft
from cyclevos.app.projects.kept_contents import KeptContents
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import FrameResult, ResultLog


@pytest.fixture
def opened(tracked_project, monkeypatch) -> Project:
    """A project of ten frames whose frame 0 is painted and whose others are tracked; ten frames count as many."""
    monkeypatch.setattr(restoring, "_MOST_LOCKED", 5)
    return tracked_project(9)


def tags(project: Project) -> list[str]:
    return [project.mask(index).tag for index in range(10)]


PLACES = {"undo": "undo", "redo": "redo", "version": "versions/1"}


@pytest.fixture
def imported(client, opened, square) -> tuple[list, list]:
    """What the project was before a tracking run and a step that changed all of its frames, and what it is since."""
    before = tags(opened)
    with opened.steps.versions.run("Track"):
        for index in range(1, 10):
            opened.track_frame(index, 2 * np.roll(square, index, axis=1), FrameResult(), None)
    tracked = tags(opened)
    with Draft(opened, lambda index: draft.track(index, 3 * np.roll(square, index, axis=1))) as draft:
        for index in range(10):
            draft.add(index)
        with draft.step("Ten frames"):
            pass
    return before, tracked


@pytest.mark.parametrize("kind", PLACES)
def test_while_frames_are_brought_back_others_read_and_change_the_project(client, opened, imported, monkeypatch, kind):
    path, shown = f"/projects/{opened.id}", tags(opened)
    wanted = {"undo": imported[1], "redo": shown, "version": imported[0]}[kind]
    if kind == "redo":
        client.json("POST", f"{path}/undo")
        shown = imported[1]
    disk = Slow(monkeypatch, KeptContents, "lay", at=4)
    going = threading.Thread(target=client.json, args=("POST", f"{path}/{PLACES[kind]}"))
    going.start()
    assert disk.reached.wait(20)
    client.json("PATCH", f"{path}/objects/1", json={"hidden": True})
    assert [client.mask(opened.id, index)[1].strip('"') for index in range(10)] == shown, "none of it shows yet"
    disk.go_on.set()
    going.join()
    assert tags(opened) == wanted
    assert opened.file.object(1).hidden


@pytest.mark.parametrize("kind", ["undo", "version"])
def test_a_stroke_that_is_made_while_frames_are_brought_back_stays(client, opened, imported, square, monkeypatch, kind):
    path, shown = f"/projects/{opened.id}", tags(opened)
    disk = Slow(monkeypatch, KeptContents, "lay", at=4)
    answers = []
    going = threading.Thread(target=lambda: answers.append(client.http.post(f"/api{path}/{PLACES[kind]}")))
    going.start()
    assert disk.reached.wait(20)
    stroke = np.roll(square, 17, axis=1)
    client.paint(opened.id, 2, stroke)
    painted = tags(opened)
    disk.go_on.set()
    going.join()
    if kind == "undo":  # what the stroke was painted on may not go from under it
        assert answers[0].status_code == 409
        assert "Somebody changed the project" in answers[0].json()["problem"]
        assert tags(opened) == painted
        client.json("POST", f"{path}/undo")
        assert tags(opened) == shown
    else:
        assert answers[0].status_code == 200
        assert (client.mask(opened.id, 2)[0][stroke == 1] == 1).all(), "it lies on top"
        assert [tag for index, tag in enumerate(tags(opened)) if index != 2] == [
            tag for index, tag in enumerate(imported[0]) if index != 2
        ]


def test_a_stroke_that_lets_go_of_what_is_being_redone_is_said_to_have_come_between(
    client, opened, imported, square, monkeypatch
):
    opened.undo()
    disk = Slow(monkeypatch, KeptContents, "lay", at=4)
    answers = []
    going = threading.Thread(target=lambda: answers.append(client.http.post(f"/api/projects/{opened.id}/redo")))
    going.start()
    assert disk.reached.wait(20)
    client.paint(opened.id, 2, np.roll(square, 17, axis=1))
    opened.steps.history.sweep()
    painted = tags(opened)
    disk.go_on.set()
    going.join()
    assert answers[0].status_code == 409
    assert "Somebody changed the project" in answers[0].json()["problem"]
    assert tags(opened) == painted


def test_a_mark_that_goes_while_a_long_step_reads_it_does_not_stop_that(opened, square, monkeypatch):
    slow = Slow(monkeypatch, mask_store, "sync_folder")
    undoing = threading.Thread(target=opened.undo)
    undoing.start()
    assert slow.reached.wait(20)  # the mark of frame 0 is removed, but that is not counted yet
    with Draft(opened, lambda index: draft.track(index, 3 * square)) as draft:
        adding = threading.Thread(target=draft.add, args=(0,))
        adding.start()
        adding.join(0.3)
        slow.go_on.set()
        adding.join()
        undoing.join()
        with draft.step("One frame"):
            pass
    assert np.array_equal(opened.mask(0).ids, 3 * square)


def test_two_who_undo_at_once_undo_two_steps(client, opened, imported, square, monkeypatch):
    disk = Slow(monkeypatch, KeptContents, "lay", at=4)
    both = [threading.Thread(target=client.json, args=("POST", f"/projects/{opened.id}/undo")) for _ in range(2)]
    for each in both:
        each.start()
    assert disk.reached.wait(20)
    disk.go_on.set()
    for each in both:
        each.join()
    assert [step["undone"] for step in opened.steps.listing()] == [True, True]
    assert not opened.mask(0).ids.any()


def test_the_news_of_a_frame_are_told_although_its_mark_goes_while_it_is_read(opened, monkeypatch):
    """What one undo answers is read while the next one removes a mark: before that is counted, the file is gone."""
    slow = Slow(monkeypatch, mask_store, "sync_folder")
    undoing = threading.Thread(target=opened.undo)
    undoing.start()
    assert slow.reached.wait(20)
    told = []
    telling = threading.Thread(target=lambda: told.append(opened.news_of(0)))
    telling.start()
    telling.join(0.3)
    slow.go_on.set()
    telling.join()
    undoing.join()
    assert told == [{**opened.news_of(0), "order": told[0]["order"]}]


def test_undoing_over_many_frames_writes_no_masks_so_a_full_disk_does_not_stop_it(opened, imported, monkeypatch):
    monkeypatch.setattr("cyclevos.app.projects.kept_contents.Path.write_bytes", _full)
    opened.undo()
    assert tags(opened) == imported[1]


@pytest.mark.parametrize("act", [Project.undo, lambda project: project.bring_back(1)], ids=["undo", "version"])
def test_what_fails_at_its_end_is_taken_back_without_writing_masks_again(opened, imported, monkeypatch, act):
    shown = tags(opened)
    monkeypatch.setattr("cyclevos.app.projects.kept_contents.Path.write_bytes", _full)
    monkeypatch.setattr(ResultLog, "add_all", lambda _, rows: _full() if rows else None)
    with pytest.raises(UnsavedError):
        act(opened)
    assert tags(opened) == shown
    assert not opened.steps.unfinished.is_pending


def _full(*_, **__) -> None:
    raise UnsavedError("The disk is full.", "Free some space.")
