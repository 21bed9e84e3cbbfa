"""The review list follows tracking and undo, the page's hints what is undone, and a reload comes back to its frame."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.work import reviewing
from cyclevos.app.work.tracked_frames import TrackedFrames


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
                project.undo()
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


@pytest.fixture
def known(monkeypatch):
    """Tracking with reliability that is known: frame 6 is the worst, then 3; the others are good."""
    store, values = TrackedFrames.store, {3: 0.6, 6: 0.3}
    told = lambda p: replace(p, reliability={1: values.get(p.index, 0.95)})  # noqa: E731
    monkeypatch.setattr(TrackedFrames, "store", lambda self, frame, p: store(self, frame, told(p)))


def test_the_end_of_a_run_says_how_many_frames_are_doubtful_and_goes_to_the_worst(editor, known):
    editor.go(4)
    editor.brush(8)
    editor.drag((6, 10), (10, 10))
    editor.press("Shift+T")
    message = editor.page.locator(".toast", has_text="Tracked 10 frames. 2 frames are doubtful (below 85 %).")
    message.get_by_role("button", name="Go to the worst (N)").click()
    editor.frame(6)
    editor.press("n")
    editor.frame(3)
    editor.press("h")
    editor.page.get_by_text("Track in both directions, 10 frames").wait_for()


def test_a_frame_below_the_limit_is_not_shown_as_the_limit_and_the_list_says_what_it_leaves_out(editor, square):
    for index in range(4):
        editor.project.track_frame(index, square, FrameResult({1: [0.9, 0.849, 0.848, 0.9][index]}), None)
    editor.project.hub.publish("changed", {"everything": True})
    review = editor.page.locator("#review")
    review.get_by_text("84 %").wait_for()
    editor.until(lambda: listed(editor.page) == ["2"])
    review.get_by_text("1 more frame is doubtful: next to these, or less so.").wait_for()
    editor.go(2)
    editor.press("a")
    editor.until(lambda: listed(editor.page) == ["1"])
    assert "more" not in review.inner_text()


def test_a_run_without_doubt_says_so_and_so_does_the_list(editor, monkeypatch):
    store = TrackedFrames.store
    good = lambda p: replace(p, reliability={1: 0.95 - p.index / 1000})  # noqa: E731
    monkeypatch.setattr(TrackedFrames, "store", lambda self, frame, p: store(self, frame, good(p)))
    editor.brush(8)
    editor.drag((6, 10), (10, 10))
    editor.press("t")
    editor.page.locator(".toast", has_text="No frame is doubtful (below 85 %).").wait_for()
    editor.until(lambda: listed(editor.page) == ["9"])
    editor.page.locator("#review", has_text="No frame is below 85 %. This is the least reliable one.").wait_for()


def test_what_was_painted_last_is_saved_before_tracking_begins(editor):
    held = editor.hold("/masks/0?*")
    asked = []
    editor.page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/track") else None)
    editor.brush(8)
    editor.page.mouse.move(*editor.at(6, 10))
    editor.page.mouse.down()
    editor.page.mouse.move(*editor.at(10, 10))
    editor.page.mouse.up()
    editor.press("t")
    editor.until(lambda: held)
    editor.page.wait_for_timeout(200)
    assert not asked
    for route, answer in held:
        route.fulfill(response=answer)
    editor.tracked()
    assert asked
    assert editor.project.masks.tracked == frozenset(range(10))
