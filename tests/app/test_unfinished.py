"""Steps that are cut off in their middle by a kill or a full disk, and damaged files of the history."""

from __future__ import annotations

import errno
from contextlib import contextmanager

import numpy as np
import pytest

from cyclevos.app.errors import UnsavedError
from cyclevos.app.projects import durable_files
from cyclevos.app.projects import history as history_module
from cyclevos.app.projects.history import History
from cyclevos.app.projects.mask_store import MaskStore
from cyclevos.app.projects.project import Project
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.projects.steps import Steps


@pytest.fixture
def opened(tracked_project) -> Project:
    """A project whose frame 0 is painted and whose frames 1 to 5 are tracked."""
    return tracked_project(5)


def everything(project: Project) -> tuple:
    shown = [project.mask(index).tag for index in range(10)]
    rows = [(i, row.reliability, row.areas) for i, row in project.results.items() if row.areas or row.reliability]
    return shown, rows, project.file.model_dump(), [step.id for step in project.steps.history.steps]


def repaint(project: Project, frames: int, ids: np.ndarray) -> None:
    """Paint a second object into the first frames, as one step."""
    for index in range(frames):
        project.paint(index, ids, project.mask(index).tag)


class Killed(BaseException):
    """The process ends here."""


@contextmanager
def killed(monkeypatch):
    """Whatever is raised inside ends the process: nothing is taken back, and nothing more is written."""
    with monkeypatch.context() as patch:
        patch.setattr(Steps, "_take_back", lambda self, made: None)
        with pytest.raises(Killed):
            yield patch


def reopen(project: Project) -> Project:
    project.close()
    return Project(project.folder)


@pytest.mark.parametrize("frames", [1, 2, 6])
def test_a_kill_in_the_middle_of_a_step_takes_all_of_it_back(opened, square, monkeypatch, frames):
    before = everything(opened)
    with killed(monkeypatch), opened.step("Six frames"):
        repaint(opened, frames, 2 * np.roll(square, 7, axis=1))
        raise Killed
    assert everything(opened) != before
    again = reopen(opened)
    assert everything(again) == before
    assert everything(reopen(again)) == before
    again.close()


def test_a_kill_while_undoing_takes_that_back_and_it_can_be_undone_again(opened, square, monkeypatch):
    first = everything(opened)
    with opened.step("Six frames"):
        for index in range(1, 6):
            opened.track_frame(index, 3 * square, FrameResult({3: 0.5}), None)
    before = everything(opened)
    with killed(monkeypatch) as patch:
        patch.setattr(History, "note_undone", lambda self, **_: _raise())
        opened.undo()
    again = reopen(opened)
    assert everything(again) == before
    again.undo()
    assert everything(again)[:3] == first[:3]
    again.close()


def _raise() -> None:
    raise Killed


def test_a_step_that_was_kept_before_the_kill_stays(opened, square, monkeypatch):
    with killed(monkeypatch) as patch:
        patch.setattr("cyclevos.app.projects.unfinished.Unfinished.end", lambda self: _raise())
        with opened.step("Six frames"):
            repaint(opened, 6, 2 * square)
    before = everything(opened)
    again = reopen(opened)
    assert everything(again) == before
    assert again.steps.history.next_undo.title == "Six frames"
    again.close()


def test_a_disk_that_is_full_while_a_step_is_taken_back_loses_nothing(opened, square, monkeypatch):
    before, replacing, full = everything(opened), durable_files.replacing, []

    def may_be_full(path, **options):
        if full:
            raise OSError(errno.ENOSPC, "No space left on device")
        return replacing(path, **options)

    def half_of_it() -> None:
        with opened.step("Six frames"):
            repaint(opened, 4, 2 * square)
            full.append(True)
            repaint(opened, 6, 3 * square)

    monkeypatch.setattr(durable_files, "replacing", may_be_full)
    with pytest.raises(UnsavedError):
        half_of_it()
    with pytest.raises(UnsavedError):
        opened.paint(9, square, opened.mask(9).tag)
    full.clear()
    opened.paint(9, square, opened.mask(9).tag)
    opened.undo()
    assert everything(opened)[:3] == before[:3]


@pytest.mark.parametrize("log", ["steps", "versions"])
@pytest.mark.parametrize(
    "line",
    [
        '{"title": "x"}',
        '{"id": 9, "title": "x", "time": 0, "rows": 3, "files": 3, "fields": 3}',
        '{"id": 9, "title": "x", "time": 0, "rows": {}, "files": {}, "fields": {}, "of a later version": 1}',
        '{"id": 9, "title": "x", "time": 0, "rows": {}, "files": {"../../00001.png": [null, null]}}',
        '{"undone": []}',
        "\0\0\0",
    ],
)
def test_a_line_that_says_nothing_is_passed_over(opened, log, line):
    with opened.steps.versions.run("Track"):
        opened.track_frame(4, np.zeros_like(opened.mask(4).ids), FrameResult(), None)
    before, versions = everything(opened), opened.steps.versions.listing()
    path = opened.folder / "history" / f"{log}.jsonl"
    path.write_text(f"{path.read_text()}{line}\n")
    again = reopen(opened)
    assert everything(again) == before
    assert again.steps.versions.listing() == versions
    assert again.undo()[0].title == "Paint"
    again.close()


def test_a_damaged_content_is_refused_and_not_put_back(client, opened, square):
    opened.paint(0, np.roll(square, 3, axis=1), opened.mask(0).tag)
    before = everything(opened)
    for path in (opened.folder / "history" / "files").iterdir():
        data = path.read_bytes()
        path.unlink()  # which shares its data with the mask
        path.write_bytes(data[:40])
    answer = client.json("POST", f"/projects/{opened.id}/undo", 409)
    assert "gone or damaged" in answer["problem"]
    assert everything(opened) == before


def test_tracking_first_takes_back_a_step_that_failed_so_that_no_later_step_takes_back_what_it_made(
    opened, square, monkeypatch
):
    def fails() -> None:
        with opened.step("Half a step"):
            opened.track_frame(3, 2 * square, FrameResult(), None)
            opened.track_frame(4, 2 * square, FrameResult(), None)
            raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(MaskStore, "put_back", _full)
        with pytest.raises(ZeroDivisionError):
            fails()
    assert opened.steps.unfinished.is_pending
    with opened.steps.versions.run("Track"):
        opened.track_frame(4, 3 * square, FrameResult(), None)
    opened.paint(9, square, opened.mask(9).tag)
    assert np.array_equal(opened.mask(3).ids, np.roll(square, 3, axis=1))
    assert np.array_equal(opened.mask(4).ids, 3 * square)


def _full(*_, **__) -> None:
    raise UnsavedError("The disk is full.", "Free some space.")


def test_what_old_runs_replaced_is_removed_with_them(opened, square):
    for shift in range(15):
        with opened.steps.versions.run("Track"):
            opened.track_frame(3, np.roll(square, shift, axis=1), FrameResult(), None)
    kept = {path.name for path in (opened.folder / "history" / "files").iterdir()}
    steps = {name for step in opened.steps.history.steps for pair in step.files.values() for name in pair if name}
    assert len(kept - steps) == 10
    for version in opened.steps.versions.listing():
        opened.bring_back(version["id"])


def test_what_a_run_replaces_outlives_steps_that_go_meanwhile(opened, square, monkeypatch):
    monkeypatch.setattr(history_module, "MOST_STEPS", 3)
    monkeypatch.setattr(history_module, "_SPARE", 1)
    before = opened.mask(3).ids
    with opened.steps.versions.run("Track"):
        opened.track_frame(3, 2 * square, FrameResult(), None)
        for shift in range(8):
            opened.paint(9, np.roll(square, shift, axis=1), opened.mask(9).tag)
    opened.bring_back(1)
    assert np.array_equal(opened.mask(3).ids, before)


def test_old_steps_that_cannot_be_removed_do_not_keep_new_ones_out(opened, square, monkeypatch):
    monkeypatch.setattr(history_module, "MOST_STEPS", 1)
    monkeypatch.setattr(history_module, "_SPARE", 0)

    def fails(*_) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(history_module, "write_records", fails)
    opened.paint(9, square, opened.mask(9).tag)
    assert np.array_equal(opened.mask(9).ids, square)
    assert opened.steps.history.next_undo.frame == 9


def test_tracking_after_an_import_was_undone_and_redone_begins_anew(client, opened, square):
    client.track(opened.id)
    tracked = [opened.mask(index).tag for index in range(10)]
    with opened.step("Import masks"):
        opened.drop_snapshots()
        for index in range(10):
            opened.track_frame(index, 3 * square, FrameResult(), None)
    opened.undo()
    client.track(opened.id)
    opened.redo()
    assert [opened.mask(index).tag for index in range(1, 10)] != tracked[1:]
    client.track(opened.id)
    assert [opened.mask(index).tag for index in range(10)] == tracked
