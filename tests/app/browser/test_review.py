"""The review list follows tracking and undo, the page's hints what is undone, and a reload comes back to its frame."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.work import reviewing


def listed(page) -> list[str]:
    return page.locator("#review strong").all_inner_texts()


def test_the_list_follows_tracking_while_it_runs(editor, go_on):
    editor.brush(8)
    editor.drag((6, 10), (10, 10))
    editor.press("t")
    editor.until(lambda: 4 in editor.project.masks.tracked)
    editor.page.locator("#review button").first.wait_for()
    assert editor.page.locator("#job").is_visible()
    assert set(map(int, listed(editor.page))) <= {1, 2, 3, 4}
    go_on.set()
    editor.tracked()
    editor.until(lambda: any(int(frame) > 4 for frame in listed(editor.page)))


@pytest.fixture
def tracked(editor, square):
    """Frames 0 to 3 tracked."""
    for index in range(4):
        editor.project.track_frame(index, square, FrameResult({1: 0.9}), None)
    editor.project.hub.publish("changed", {"everything": True})
    editor.page.locator("#objects .pick").first.wait_for()
    editor.go(2)
    return editor


def test_the_hint_to_track_again_goes_with_the_stroke_and_comes_back_with_it(tracked):
    editor = tracked
    hint = editor.page.locator("#hint", has_text="Track again")
    assert hint.is_hidden()
    editor.brush(4)
    editor.drag((30, 5), (34, 5))
    hint.wait_for()
    editor.press("Control+z")
    hint.wait_for(state="hidden")
    editor.press("Control+Shift+Z")
    hint.wait_for()
    editor.saved()
    editor.press("Control+z")
    hint.wait_for(state="hidden")
    editor.drag((30, 9), (34, 9))  # another one in its place
    hint.wait_for()
    hint.get_by_role("button", name="Later").click()
    hint.wait_for(state="hidden")
    editor.drag((30, 2), (34, 2))
    hint.wait_for()
    editor.press("t")
    editor.tracked()
    hint.wait_for(state="hidden")


def test_a_click_that_changes_no_pixel_does_not_ask_to_track_again(prompter, tracked, square):
    prompter.reach = 1
    row, column = (int(values.mean()) for values in square.nonzero())
    tracked.press("c")
    tracked.click((column + 0.5, row + 0.5))
    tracked.until(lambda: [step["title"] for step in tracked.project.steps.listing()] == ["Point at object 1"])
    tracked.saved()
    assert tracked.project.mask(2).status == "tracked"
    assert tracked.page.locator("#hint", has_text="Track again").is_hidden()


def test_an_edit_of_a_frame_that_is_undone_takes_its_hint_with_it(tracked):
    editor, hint = tracked, tracked.page.locator("#hint", has_text="Track again")
    editor.press("k")
    panel = editor.page.locator("#edits")
    panel.get_by_text("px of this frame change").wait_for()
    panel.get_by_role("button", name="Apply").click()
    hint.wait_for()
    editor.page.locator("#canvas").focus()
    editor.press("Control+z")
    hint.wait_for(state="hidden")
    assert editor.project.mask(2).status == "tracked"


def test_a_reload_comes_back_to_the_frame_of_its_tab(server, editor, new_page, square):
    project = editor.project
    project.paint(2, square, project.mask(2).tag)
    editor.go(7)
    other = new_page()
    other.page.goto(f"{server.address}/?project={project.id}")
    other.frame(7)  # where it was left, in a tab that is new
    other.go(4)
    editor.page.reload()
    editor.frame(7)
    other.page.reload()
    other.frame(4)


@pytest.fixture
def theirs(square) -> list[dict]:
    files = []
    for index in range(10):
        data = io.BytesIO()
        Image.fromarray(np.roll(3 * square, 2 * index, axis=1)).save(data, format="PNG")
        files.append({"name": f"shot_{index:03d}.png", "mimeType": "image/png", "buffer": data.getvalue()})
    return files


def test_undoing_an_import_stops_its_review_and_says_so(editor, theirs, monkeypatch):
    page, project = editor.page, editor.project
    review_frames = reviewing.review_frames

    def interrupted(*given):
        for frame, prediction in review_frames(*given):
            if frame.index == 4:
                project.steps.undo()
            yield frame, prediction

    monkeypatch.setattr(reviewing, "review_frames", interrupted)
    page.locator("#import-result").click()
    page.locator("#result-files").set_input_files(theirs)
    page.locator("#dialog .primary", has_text="Import").click()
    page.locator(".toast", has_text="The review stopped").wait_for()
    page.locator("#job").wait_for(state="hidden")
    assert not page.locator(".toast", has_text="Imported the masks").count()
    assert not any(row.reliability for _, row in project.results.items())
    page.locator("#review", has_text="After tracking").wait_for()


def test_the_only_frame_of_the_list_is_said_to_be_the_only_one(editor, square):
    editor.project.track_frame(3, square, FrameResult({1: 0.4}), None)
    editor.project.hub.publish("changed", {"everything": True})
    editor.until(lambda: listed(editor.page) == ["3"])
    editor.press("n")
    editor.frame(3)
    assert editor.page.locator(".toast").count() == 0
    editor.press("n")
    editor.page.locator(".toast", has_text="This is the only frame of the list.").wait_for()
