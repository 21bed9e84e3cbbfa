"""Steps that change many frames on a slow disk: nobody waits for them, nobody sees half of them, none is lost."""

from __future__ import annotations

import errno
import io
import threading
import zipfile

import numpy as np
import pytest
from PIL import Image
from slow_places import Slow

from cyclevos.app.errors import UnsavedError
from cyclevos.app.projects import draft as draft_module
from cyclevos.app.projects.draft import Draft
from cyclevos.app.projects.mask_store import MaskStore
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.projects.steps import Steps


@pytest.fixture
def opened(tracked_project) -> Project:
    """A project of ten frames whose frame 0 is painted and whose others are tracked."""
    return tracked_project(9)


@pytest.fixture
def theirs(square) -> bytes:
    """Masks of all frames, as object 3, in an archive."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for index in range(10):
            picture = io.BytesIO()
            Image.fromarray(3 * np.roll(square, 2 * index, axis=1)).save(picture, format="PNG")
            archive.writestr(f"shot_{index:03d}.png", picture.getvalue())
    return data.getvalue()


def everything(project: Project) -> tuple:
    shown = [project.mask(index).tag for index in range(10)]
    rows = [(i, row.reliability, row.areas) for i, row in project.results.items() if row.areas or row.reliability]
    return shown, rows, project.file.model_dump()


START = {
    "import": lambda client, project, theirs: client.json(
        "POST", f"/projects/{project}/results?name=theirs.zip", 202, content=theirs
    ),
    "edit": lambda client, project, _: client.json(
        "POST", f"/projects/{project}/edits", 202, json={"op": "swap", "object": 1, "target": 2}
    ),
}


@pytest.mark.parametrize("kind", START)
def test_while_a_long_step_is_written_others_read_and_paint(client, opened, theirs, square, monkeypatch, kind):
    client.json("POST", f"/projects/{opened.id}/objects", 201, json={"name": "second"})
    before = everything(opened)[0]
    disk = Slow(monkeypatch, draft_module, "write_durably", at=6)
    job = START[kind](client, opened.id, theirs)
    assert disk.reached.wait(20)
    path = f"/projects/{opened.id}"
    state = client.json("GET", path)
    assert [client.mask(opened.id, index)[1].strip('"') for index in range(10)] == before, "none of it shows yet"
    assert [step["title"] for step in client.json("GET", f"{path}/history")] == ["Paint", "Add second"]
    assert client.json("GET", f"{path}/review") == state["review"]
    stroke = np.roll(square, 15, axis=1)
    client.paint(opened.id, 1, stroke)
    assert not disk.go_on.is_set(), "all of this was answered before the disk went on"
    painted = everything(opened)[0]
    disk.go_on.set()
    ended = client.finish(job)
    if kind == "edit":  # it was made for the mask as it was
        assert "Frame 1 was changed" in ended["error"]["problem"]
        assert everything(opened)[0] == painted
        return
    assert ended["status"] == "done", ended
    shown = client.mask(opened.id, 1)[0]
    assert (shown[stroke == 1] == 1).all(), "the stroke lies on top"
    assert (shown == 3).any()
    client.json("POST", f"{path}/undo")
    assert everything(opened)[0] == painted


def test_while_a_step_is_put_in_place_reading_does_not_wait(client, opened, theirs, monkeypatch):
    before = everything(opened)[0]
    disk = Slow(monkeypatch, MaskStore, "take")
    job = START["import"](client, opened.id, theirs)
    assert disk.reached.wait(20)
    got_lock = threading.Thread(target=lambda: opened.lock.acquire() and opened.lock.release())
    got_lock.start()
    tags = [client.mask(opened.id, index)[1].strip('"') for index in range(10)]
    history = client.json("GET", f"/projects/{opened.id}/history")
    assert got_lock.is_alive(), "the lock is held all the while"
    assert tags == before
    assert [step["title"] for step in history] == ["Paint"]
    disk.go_on.set()
    assert client.finish(job)["status"] == "done"
    got_lock.join()


def test_deleting_an_object_waits_for_nobody_and_changes_all_frames_at_once(client, opened, square, monkeypatch):
    disk = Slow(monkeypatch, draft_module, "write_durably", at=3)
    deleting = threading.Thread(target=client.json, args=("DELETE", f"/projects/{opened.id}/objects/1", 204))
    deleting.start()
    assert disk.reached.wait(20)
    client.paint(opened.id, 5, 2 * square)
    assert all(client.mask(opened.id, index)[0].any() for index in range(10))
    disk.go_on.set()
    deleting.join()
    assert [bool(client.mask(opened.id, index)[0].any()) for index in range(10)] == [index == 5 for index in range(10)]
    assert (client.mask(opened.id, 5)[0] == 2).sum() == square.sum()
    client.json("POST", f"/projects/{opened.id}/undo")
    assert all(client.mask(opened.id, index)[0].any() for index in range(10))


def test_an_object_that_is_deleted_goes_from_frames_too_in_which_it_was_painted_meanwhile(
    client, opened, square, monkeypatch
):
    client.paint(opened.id, 4, 3 * square)
    disk = Slow(monkeypatch, draft_module, "write_durably")
    deleting = threading.Thread(target=client.json, args=("DELETE", f"/projects/{opened.id}/objects/3", 204))
    deleting.start()
    assert disk.reached.wait(20)
    client.paint(opened.id, 8, 3 * square)
    disk.go_on.set()
    deleting.join()
    assert not (client.mask(opened.id, 8)[0] == 3).any()
    client.json("POST", f"/projects/{opened.id}/undo")
    assert [index for index in range(10) if (client.mask(opened.id, index)[0] == 3).any()] == [4, 8]


class Killed(BaseException):
    """The process ends here."""


@pytest.mark.parametrize("renamed", [0, 1, 7])
def test_a_kill_while_a_draft_is_put_in_place_leaves_none_of_it(opened, square, monkeypatch, renamed):
    before, calls, real = everything(opened), [], draft_module.Path.replace

    def replace(self, target):
        if "ready" in self.parts:
            calls.append(self)
            if len(calls) > renamed:
                raise Killed
        return real(self, target)

    def killed() -> None:
        with Draft(opened, lambda index: draft.track(index, 2 * square)) as draft:
            for index in range(10):
                draft.add(index)
            monkeypatch.setattr(draft_module.Path, "replace", replace)
            with draft.step("Ten frames"):
                pass

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "_take_back", lambda self, made: None)
        patch.setattr(draft_module.shutil, "rmtree", lambda *_, **__: None)
        with pytest.raises(Killed):
            killed()
    monkeypatch.undo()
    opened.close()
    again = Project(opened.folder)
    assert everything(again) == before
    assert not (again.folder / "ready").exists()
    again.close()


def test_a_disk_that_is_full_stops_a_long_step_before_anything_is_changed(client, opened, theirs, monkeypatch):
    before, written, real = everything(opened), [], draft_module.write_durably

    def write(path, data, **options):
        written.append(path)
        if len(written) > 5:
            raise UnsavedError("The disk that holds the project is full.", "Free some space on it.") from OSError(
                errno.ENOSPC, ""
            )
        real(path, data, **options)

    monkeypatch.setattr(draft_module, "write_durably", write)
    ended = client.finish(START["import"](client, opened.id, theirs))
    assert ended["error"]["problem"] == "The disk that holds the project is full."
    assert everything(opened) == before
    assert not any((opened.folder / "ready").iterdir())


def test_an_import_that_is_cancelled_changes_nothing(client, opened, theirs, cancelled_at):
    before, kept = everything(opened), opened.folder / "history" / "files"
    held = {path.name for path in kept.iterdir()}
    with cancelled_at(7):
        ended = client.finish(START["import"](client, opened.id, theirs))
    assert ended["status"] == "cancelled"
    assert everything(opened) == before
    assert {path.name for path in kept.iterdir()} <= held


def test_a_mask_that_could_not_be_stored_is_taken_back_on_the_pages(opened, square, news_of, monkeypatch):
    told = news_of(opened)
    monkeypatch.setattr("cyclevos.app.projects.mask_store.write_durably", _full)
    shown = opened.mask(4).tag
    with pytest.raises(UnsavedError):
        opened.track_frame(4, np.roll(square, 9, axis=1), FrameResult(), None)
    assert [news["tag"] == shown for _, news in told] == [False, True]
    (_, first), (_, second) = told
    assert first["order"] < second["order"]


def _full(*_, **__) -> None:
    raise UnsavedError("The disk is full.", "Free some space.")


def test_a_state_that_is_read_while_a_mask_is_stored_does_not_count_as_newer(
    client, opened, square, news_of, monkeypatch
):
    told = news_of(opened)
    disk = Slow(monkeypatch, MaskStore, "write_tracked")
    tracking = threading.Thread(target=opened.track_frame, args=(4, np.roll(square, 9, axis=1), FrameResult(), None))
    tracking.start()
    assert disk.reached.wait(20)
    [(_, news)] = told
    state = client.json("GET", f"/projects/{opened.id}")
    assert state["order"] < news["order"]
    assert state["told"] < opened.hub.told  # a page that begins to listen now has missed it
    disk.go_on.set()
    tracking.join()
    state = client.json("GET", f"/projects/{opened.id}")
    assert state["order"] > news["order"]
    assert state["told"] == opened.hub.told
