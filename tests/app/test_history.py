"""Undo and redo on disk: every action of a person goes and comes back, after a restart and a cut-off line too."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.errors import ConflictError
from cyclevos.app.projects import history as history_module
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import FrameResult


@pytest.fixture
def move(client, project):
    """Undo or redo; return the answer."""
    return lambda way: client.json("POST", f"/projects/{project}/{way}")


def everything(opened: Project) -> tuple:
    """All that a person can see of a project."""
    shown = [opened.mask(index) for index in range(10)]
    file = opened.file.model_dump(exclude={"settings"})
    rows = {i: row for i, row in opened.results.items() if row.areas or row.reliability}
    return [mask.tag for mask in shown], rows, file


def test_every_action_is_undone_and_redone_in_order(client, project, opened, move, square):
    states = [everything(opened)]

    def did(*request, **options) -> None:
        client.json(*request, **options)
        states.append(everything(opened))

    path = f"/projects/{project}"
    data = io.BytesIO()
    Image.fromarray(np.roll(3 * square, 9, axis=1)).save(data, format="PNG")
    client.paint(project, 0, square)
    states.append(everything(opened))
    client.paint(project, 0, np.roll(square, 2, axis=1))
    states.append(everything(opened))
    did("POST", f"{path}/objects", 201, json={"name": "dog"})
    did("PATCH", f"{path}/objects/2", json={"name": "cat"})
    did("PATCH", f"{path}/objects/1", json={"colour": "#123456"})
    did("POST", f"{path}/masks/4/import", content=data.getvalue())
    did("POST", f"{path}/frames/4/accept", json={"accepted": True})
    did("POST", f"{path}/frames/4/accept", json={"accepted": False})
    did("DELETE", f"{path}/masks/0")
    did("DELETE", f"{path}/objects/3", 204)
    assert len({str(state) for state in states}) == len(states) - 1  # reopened is as it was before it was accepted
    titles = [step["title"] for step in client.json("GET", f"{path}/history")]
    assert titles == [
        *("Paint", "Paint", "Add dog", "Rename dog to cat", "Recolour object 1", "Import a mask", "Accept the frame"),
        *("Reopen the frame", "Clear the frame", "Delete object 3"),
    ]
    for title, state in zip(reversed(titles), reversed(states[:-1]), strict=True):
        assert move("undo")["title"] == title
        assert everything(opened) == state
    assert move("undo")["step"] is None
    for title, state in zip(titles, states[1:], strict=True):
        assert move("redo")["title"] == title
        assert everything(opened) == state
    assert move("redo")["step"] is None


def test_undo_survives_a_restart_and_a_line_that_was_cut_off(serve, clip, square, tmp_path):
    client = serve()
    name = client.open(clip)
    for shift in (0, 2, 4):
        client.paint(name, 0, np.roll(square, shift, axis=1))
    client.json("POST", f"/projects/{name}/undo")
    serve.stop()
    log = tmp_path / "projects" / name / "history" / "steps.jsonl"
    log.write_bytes(log.read_bytes() + b'{"id": 4, "title": "Pai')
    client = serve()
    state = client.json("GET", f"/projects/{name}")["history"]
    assert (state["undo"]["title"], state["redo"]["title"]) == ("Paint", "Paint")
    client.json("POST", f"/projects/{name}/undo")
    assert np.array_equal(client.mask(name, 0)[0], square)
    for _ in range(2):
        client.json("POST", f"/projects/{name}/redo")
    assert np.array_equal(client.mask(name, 0)[0], np.roll(square, 4, axis=1))


@pytest.mark.parametrize(("direction", "title"), [("forward", "Track forward"), ("both", "Track in both directions")])
def test_a_run_says_as_many_frames_as_the_history_says_of_it(client, project, square, direction, title):
    client.paint(project, 4, square)
    frames = {"forward": 6, "both": 10}[direction]
    assert client.track(project, direction)["result"]["frames"] == frames
    (version,) = client.json("GET", f"/projects/{project}/versions")
    assert version["title"] == f"{title}, {frames} frames"


def test_a_new_step_drops_what_was_undone(client, project, move, square):
    client.paint(project, 0, square)
    client.paint(project, 0, np.roll(square, 2, axis=1))
    move("undo")
    client.paint(project, 3, square)
    assert move("redo")["step"] is None
    assert [step["undone"] for step in client.json("GET", f"/projects/{project}/history")] == [False, False]


def test_the_next_steps_are_told_without_the_whole_history(client, project, move, square):
    def told() -> tuple[int | None, int | None]:
        answer = client.json("GET", f"/projects/{project}/undo")
        return tuple(None if answer[way] is None else answer[way]["id"] for way in ("undo", "redo"))

    assert told() == (None, None)
    client.paint(project, 0, square)
    client.paint(project, 1, square)
    assert told() == (2, None)
    move("undo")
    assert told() == (1, 2)


def test_the_history_goes_to_any_of_its_steps(client, project, square):
    for shift in range(4):
        client.paint(project, 0, np.roll(square, shift, axis=1))
    steps = client.json("GET", f"/projects/{project}/history")
    for at, shown in ((1, 1), (3, 3), (0, 0)):
        client.json("POST", f"/projects/{project}/history", json={"step": steps[at]["id"]})
        assert np.array_equal(client.mask(project, 0)[0], np.roll(square, shown, axis=1))
    client.json("POST", f"/projects/{project}/history", json={"step": 0})
    assert not client.mask(project, 0)[0].any()
    client.json("POST", f"/projects/{project}/history", 404, json={"step": 99})


def test_strokes_are_undone_after_tracking_which_stays(client, project, opened, move, square):
    client.paint(project, 0, square)
    client.paint(project, 5, square)
    mine = square.copy()
    mine[20:22, 30:34] = 2
    client.paint(project, 5, mine)
    client.track(project)
    tracked = [opened.masks.read_tracked(index) for index in range(10)]
    move("undo")  # object 2 of frame 5
    assert opened.masks.marks[5].objects == {1}
    assert [info.id for info in opened.file.objects] == [1, 2]  # tracking has given it pixels
    move("undo")
    assert 5 not in opened.masks.marks
    assert np.array_equal(opened.mask(5).ids, tracked[5])
    assert all(np.array_equal(opened.masks.read_tracked(i), ids) for i, ids in enumerate(tracked))
    move("redo")
    assert opened.masks.marks[5].objects == {1}


def test_an_object_that_was_deleted_comes_back_with_its_masks_and_reliability(client, project, opened, move, square):
    client.paint(project, 0, square)
    client.track(project)
    before = everything(opened)
    opened.remove_object(1)
    assert everything(opened) != before
    move("undo")
    assert everything(opened) == before


def test_a_step_whose_masks_tracking_has_replaced_is_passed_over_and_named(client, project, opened, square):
    client.paint(project, 0, square)
    client.track(project)
    with opened.step("Clear what was tracked"):
        opened.track_frame(4, np.zeros_like(square), FrameResult({1: 0.9}), None)
    opened.track_frame(4, 2 * square, FrameResult({2: 0.4}), None)
    answer = client.json("POST", f"/projects/{project}/undo")
    assert (answer["passed"], answer["frames"]) == (["Clear what was tracked"], [])
    assert np.array_equal(opened.mask(4).ids, 2 * square)
    assert client.json("POST", f"/projects/{project}/undo")["title"] == "Paint"
    assert 0 not in opened.masks.marks
    assert client.json("POST", f"/projects/{project}/redo")["title"] == "Paint"
    assert client.json("POST", f"/projects/{project}/redo")["passed"] == ["Clear what was tracked"]
    assert np.array_equal(opened.mask(4).ids, 2 * square)


def test_a_step_that_fails_leaves_nothing_behind(opened, square):
    def fails() -> None:
        with opened.step("Half of it"):
            opened.paint(3, square, opened.mask(3).tag)
            raise ConflictError("It cannot be done.", "Leave it.")

    before = everything(opened)
    with pytest.raises(ConflictError):
        fails()
    assert everything(opened) == before
    assert opened.steps.history.next_undo is None


def test_the_oldest_steps_go_with_their_files(opened, square, monkeypatch, tmp_path):
    monkeypatch.setattr(history_module, "MOST_STEPS", 3)
    monkeypatch.setattr(history_module, "_SPARE", 1)
    for shift in range(7):
        opened.paint(0, np.roll(square, shift, axis=1), opened.mask(0).tag)
    kept = opened.steps.history.steps
    assert [step.id for step in kept] == [5, 6, 7] or [step.id for step in kept] == [4, 5, 6, 7]
    files = {path.name for path in (Path(opened.folder) / "history" / "files").iterdir()}
    assert files == {name for step in kept for pair in step.files.values() for name in pair if name}
    assert [step.id for step in history_module.History(opened.folder).steps] == [step.id for step in kept]


def test_two_candidates_of_one_click_are_one_step(client, project, opened, square):
    client.paint(project, 0, square)
    last = opened.steps.history.next_undo.id
    ids, tag = client.mask(project, 0)
    path = f"/projects/{project}/masks/0?title=Point&amend={last}"
    client.json("PUT", path, content=np.roll(ids, 3, axis=1).tobytes(), headers={"If-Match": tag})
    assert len(opened.steps.history.steps) == 1
    client.json("POST", f"/projects/{project}/undo")
    assert not opened.mask(0).ids.any()
    client.json("POST", f"/projects/{project}/redo")
    assert np.array_equal(opened.mask(0).ids, np.roll(square, 3, axis=1))


def test_a_folder_that_goes_away_during_tracking_ends_the_job_by_name(client, project, opened, square, go_on):
    client.paint(project, 0, square)
    job = client.json("POST", f"/projects/{project}/track", 202, json={"direction": "forward"})
    client.wait(lambda: 4 in opened.masks.tracked)
    elsewhere = opened.folder.with_name("elsewhere")
    opened.folder.rename(elsewhere)
    go_on.set()
    ended = client.finish(job)
    assert (ended["status"], ended["error"]["kind"]) == ("failed", "GoneError")
    assert "The project's folder is gone" in ended["error"]["problem"]
    assert not opened.folder.exists()
    assert client.json("GET", f"/projects/{project}", 410)["remedy"]
    elsewhere.rename(opened.folder)
    client.track(project)
    assert opened.masks.tracked == frozenset(range(10))


def test_what_a_tracking_run_replaced_is_brought_back_and_that_is_undone(client, project, opened, move, square):
    client.paint(project, 0, square)
    client.track(project)
    before = everything(opened)
    client.paint(project, 0, np.roll(square, 12, axis=1))
    painted = opened.mask(0).ids
    client.track(project)
    after = everything(opened)
    runs = client.json("GET", f"/projects/{project}/versions")
    assert runs[0]["title"] == "Track forward, 10 frames"
    assert len(runs) == 2
    client.json("POST", f"/projects/{project}/versions/{runs[-1]['id']}")
    assert everything(opened)[0][1:] == before[0][1:]  # tags: the pixels of every tracked frame
    assert {i: row.reliability for i, row in opened.results.items() if i} == {
        i: row.reliability for i, row in before[1].items() if i
    }
    assert np.array_equal(opened.mask(0).ids, painted)
    assert move("undo")["title"] == f"Bring back what was before: {runs[-1]['title']}"
    assert everything(opened) == after
    client.json("POST", f"/projects/{project}/versions/{runs[0]['id']}")  # before the first run there was nothing
    assert not opened.masks.tracked
    client.track(project)
    assert opened.masks.tracked == frozenset(range(10))
    client.json("POST", f"/projects/{project}/versions/99", 404)


def test_undoing_answers_with_all_that_the_event_of_the_same_change_says(
    client, project, opened, move, square, news_of
):
    square[18:22, 34:38] = 1  # a piece apart
    client.paint(project, 0, square)
    client.paint(project, 0, np.zeros_like(square))
    news = news_of(opened)
    [answer] = move("undo")["frames"]
    assert answer["islands"] == {"1": 16}
    assert answer["corrected"] is False
    changing = {"mask", "order"}
    event = [data for kind, data in news if kind == "mask"][-1]
    assert {k: v for k, v in answer.items() if k not in changing} == {
        k: v for k, v in event.items() if k not in changing
    }
