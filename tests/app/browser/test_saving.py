"""Nothing painted is lost: what cannot be saved stays on the page and is said, and undo reaches back over it all."""

from __future__ import annotations

import io
import os
import subprocess

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.projects import durable_files


@pytest.fixture
def full(monkeypatch):
    """A disk that is full until the returned function is called."""
    write = durable_files.replacing

    def refuse(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable_files, "replacing", refuse)
    return lambda: monkeypatch.setattr(durable_files, "replacing", write)


def stroke(editor, *points) -> None:
    """Paint without waiting until it is saved."""
    mouse = editor.page.mouse
    mouse.move(*editor.at(*points[0]))
    mouse.down()
    for point in points[1:]:
        mouse.move(*editor.at(*point))
    mouse.up()


def test_a_full_disk_is_said_and_every_stroke_is_saved_when_there_is_room_again(editor, full):
    editor.brush(4)
    stroke(editor, (5, 5), (12, 5))
    stroke(editor, (5, 12), (12, 12))
    stroke(editor, (5, 19), (12, 19))
    bar = editor.page.locator("#not-saved")
    bar.get_by_text("The disk that holds the project is full").wait_for()
    assert "Free some space" in bar.inner_text()
    assert "3 strokes are on this page only" in bar.inner_text()
    assert editor.page.locator("#saved").inner_text() == "Not saved"
    editor.press("Control+z")  # the last one
    editor.until(lambda: "2 strokes are" in bar.inner_text())
    editor.press("Control+z")
    editor.until(lambda: "1 stroke is" in bar.inner_text())
    editor.press("Control+Shift+Z")
    editor.until(lambda: "2 strokes are" in bar.inner_text())
    for name in ("Export", "Import masks of all frames"):  # what waits for the strokes is told that they are not saved
        editor.page.get_by_role("button", name=name, exact=True).click()
        if name != "Export":
            editor.page.locator("#result-path").fill("masks")
        editor.page.locator("#dialog .primary").click()
        told = editor.page.locator(".toast:visible", has_text="Your last strokes are not saved yet.")
        told.wait_for()
        for width in (1280, 853):
            editor.page.set_viewport_size({"width": width, "height": 720})
            assert told.is_visible()
            assert bar.get_by_text("Not saved").is_visible()
            assert bar.get_by_role("button", name="Try now").is_visible()
            boxes = [each.bounding_box() for each in (bar, told)]
            assert boxes[0]["x"] + boxes[0]["width"] <= boxes[1]["x"]
            assert boxes[1]["x"] + boxes[1]["width"] <= width - 268
        editor.page.set_viewport_size({"width": 1280, "height": 720})
        editor.dismiss()
    asked = []
    editor.page.once("dialog", lambda dialog: (asked.append(dialog.type), dialog.dismiss()))
    editor.page.evaluate("location.reload()")
    editor.until(lambda: asked == ["beforeunload"])
    assert not editor.project.masks.marks
    full()
    bar.get_by_role("button", name="Try now").click()
    editor.saved()
    bar.wait_for(state="hidden")
    ids = editor.project.mask(0).ids
    assert [ids[row, 8] for row in (5, 12, 19)] == [1, 1, 0]
    assert [step.title for step in editor.project.steps.history.steps] == ["Brush object 1"] * 2


def test_a_folder_that_cannot_be_written_to_is_said_and_tried_again_without_being_asked(editor):
    (editor.project.folder / "marks").touch()  # root may write anywhere, but not into a file
    editor.brush(4)
    stroke(editor, (5, 5), (12, 5))
    editor.page.locator("#not-saved", has_text="cannot be written to").wait_for()
    (editor.project.folder / "marks").unlink()
    editor.saved()
    assert editor.project.mask(0).ids[5, 8] == 1


@pytest.fixture
def small_disk(tmp_path):
    """A disk of 200 kB; needs root."""
    folder = tmp_path / "projects"
    folder.mkdir()
    if (
        os.name != "posix"
        or os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(folder)], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("a small disk can only be mounted by root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_really_full_takes_the_stroke_once_there_is_room(small_disk, editor):
    ballast = small_disk / "ballast"
    with pytest.raises(OSError, match="No space"):
        ballast.write_bytes(bytes(400_000))
    editor.brush(4)
    stroke(editor, (5, 5), (12, 5))
    editor.page.locator("#not-saved", has_text="is full").wait_for()
    ballast.unlink()
    editor.saved()
    assert editor.project.mask(0).ids[5, 8] == 1
    editor.press("Control+z")
    editor.until(lambda: not editor.project.mask(0).ids.any())


def test_undo_goes_back_over_everything_across_frames_and_a_reload(editor):
    page, project = editor.page, editor.project
    editor.brush(5)
    editor.drag((5, 5), (12, 5))
    editor.press("m")
    page.locator("#objects li.active", has_text="object 2").wait_for()
    editor.go(3)
    data = io.BytesIO()
    Image.fromarray(np.kron([[2, 0], [0, 0]], np.ones((12, 20))).astype(np.uint8)).save(data, format="PNG")
    page.locator("#import").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": data.getvalue()})
    page.locator("#status", has_text="Painted").wait_for()
    page.get_by_role("button", name="Clear frame").click()
    page.locator("#status", has_text="No mask").wait_for()
    page.reload()
    editor.frame(3)
    undo = page.get_by_role("button", name="Undo")
    page.locator("#undo[title='Undo: Clear the frame (Ctrl+Z)']").wait_for()
    undo.click()
    editor.frame(3)  # the page goes where it happens
    page.locator("#status", has_text="Painted").wait_for()
    assert (project.mask(3).ids[:12, :20] == 2).all()
    editor.press("Control+z")
    page.locator("#status", has_text="No mask").wait_for()
    editor.press("Control+z")
    editor.until(lambda: [info.id for info in project.file.objects] == [1])
    editor.until(lambda: page.locator("#objects .pick").count() == 1)
    editor.press("Control+z")
    editor.frame(0)
    editor.until(lambda: not project.mask(0).ids.any())
    editor.until(undo.is_disabled)
    for _ in range(3):
        editor.press("Control+y")
    editor.frame(3)
    page.locator("#status", has_text="Painted").wait_for()
    assert project.mask(0).ids[5, 8] == 1


def test_the_history_lists_what_was_done_and_goes_there(editor):
    editor.brush(5)
    for row in (5, 12, 19):
        editor.drag((5, row), (12, row))
    editor.press("h")
    steps = editor.page.locator(".history button")
    steps.nth(3).wait_for()
    assert [text.split("\n")[0] for text in steps.all_inner_texts()] == [
        *["Brush object 1"] * 3,
        "Before the first step",
    ]
    steps.nth(2).click()
    editor.until(lambda: [int(editor.project.mask(0).ids[row, 8]) for row in (5, 12, 19)] == [1, 0, 0])
    editor.press("h")
    editor.until(lambda: editor.page.locator(".history .undone").count() == 2)
    steps.first.click()
    editor.until(lambda: [int(editor.project.mask(0).ids[row, 8]) for row in (5, 12, 19)] == [1, 1, 1])


def test_strokes_wait_in_order_while_the_server_is_slow_and_each_stays_a_step(editor):
    editor.brush(4)
    held = editor.hold("/masks/0?title*")
    stroke(editor, (5, 5), (12, 5))
    editor.until(lambda: len(held) == 1)
    stroke(editor, (5, 12), (12, 12))
    stroke(editor, (5, 19), (12, 19))
    editor.press("Control+z")  # the one that waits is taken back at once
    for number in range(2):
        editor.until(lambda number=number: len(held) > number)
        route, answer = held[number]
        route.fulfill(response=answer)
    editor.saved()
    assert len(held) == 2
    assert len(editor.project.steps.history.steps) == 2
    editor.press("Control+z")
    editor.until(lambda: [int(editor.project.mask(0).ids[row, 8]) for row in (5, 12, 19)] == [1, 0, 0])


_KEY = """([key, shift, ctrl]) => document.body.dispatchEvent(new KeyboardEvent('keydown', {
    key, shiftKey: shift, ctrlKey: ctrl, bubbles: true, cancelable: true }))"""


def test_keys_work_under_caps_lock(editor):
    editor.brush(5)
    editor.drag((5, 5), (12, 5))

    def press(key: str, *, shift: bool = False, ctrl: bool = False) -> None:
        editor.page.evaluate(_KEY, [key, shift, ctrl])

    press("E")  # Caps Lock alone
    editor.page.locator("#tool-eraser[aria-pressed=true]").wait_for()
    press("Z", ctrl=True)
    editor.until(lambda: not editor.project.mask(0).ids.any())
    press("z", shift=True, ctrl=True)  # Shift under Caps Lock gives a small letter
    editor.until(lambda: editor.project.mask(0).ids[5, 8] == 1)
    press("A")
    editor.page.locator("#status", has_text="Accepted").wait_for()


def test_what_is_hidden_is_not_painted_over_and_that_is_said(editor):
    editor.brush(6)
    editor.drag((5, 10), (30, 10))
    editor.press("m")
    editor.page.locator("#objects li.active", has_text="object 2").wait_for()
    editor.page.get_by_role("button", name="Hide object 1").click()
    editor.page.get_by_role("button", name="Show object 1").wait_for()
    before = editor.project.mask(0).ids.copy()
    for key in ("b", "e"):
        editor.press(key)
        editor.drag((15, 2), (15, 20))
        editor.page.locator(".toast", has_text="object 1 is hidden and keeps its pixels").wait_for()
        assert np.array_equal(editor.project.mask(0).ids == 1, before == 1)
        editor.dismiss()
    editor.press("1", "p")
    editor.click((3, 3))
    editor.page.locator(".toast", has_text="This object is hidden").wait_for()


def test_a_project_whose_folder_is_moved_says_so_and_goes_on_when_it_is_back(editor):
    folder = editor.project.folder
    elsewhere = folder.with_name("elsewhere")
    folder.rename(elsewhere)
    editor.brush(5)
    stroke(editor, (5, 5), (12, 5))
    editor.page.locator("#not-saved", has_text="The project's folder is gone").wait_for()
    assert not folder.exists()
    elsewhere.rename(folder)
    editor.saved()
    assert editor.project.mask(0).ids[5, 8] == 1


def test_a_tracking_run_is_taken_back_from_the_history(editor):
    editor.brush(8)
    editor.drag((6, 10), (10, 10))
    editor.press("t")
    editor.tracked()
    editor.press("h")
    editor.page.get_by_role("button", name="Bring back what was before: Track forward, 10 frames").click()
    editor.until(lambda: not editor.project.masks.tracked)
    editor.go(5)
    editor.page.locator("#status", has_text="No mask").wait_for()
    editor.press("Control+z")
    editor.until(lambda: editor.project.masks.tracked == frozenset(range(10)))
    editor.go(5)
    editor.page.locator("#status", has_text="Tracked").wait_for()
