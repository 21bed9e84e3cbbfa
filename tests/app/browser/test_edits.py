"""The panel of edits, driven by pointer and keys: what it previews, what the server holds afterwards, and the strip."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.projects.mask_pngs import Mark
from cyclevos.app.projects.result_log import FrameResult


@pytest.fixture
def two() -> np.ndarray:
    """Two objects, the first in two pieces that are far from each other."""
    mask = np.zeros((24, 40), np.uint8)
    mask[2:10, 2:10] = 1
    mask[12:20, 14:24] = 2
    mask[18:22, 34:38] = 1
    return mask


@pytest.fixture
def tracked(editor, two):
    """The clip with a first frame painted without the second piece, and all others tracked with it."""
    project, first = editor.project, two.copy()
    first[:, 30:] = 0
    with project.lock:
        project.paint(0, first, project.mask(0).tag)
        for index in range(1, 10):
            project.track_frame(index, two, FrameResult({1: 0.9, 2: 0.8}), None)
    editor.page.reload()
    editor.frame(0)
    editor.page.locator("#objects .pick").first.wait_for()
    return editor


def ids(editor, index: int) -> np.ndarray:
    return editor.project.mask(index).ids


def panel(editor):
    return editor.page.locator("#edits")


def choose(editor, label: str, words: str) -> None:
    panel(editor).get_by_label(label, exact=True).select_option(label=words)


def colour(editor, x: float, y: float) -> tuple[int, ...]:
    """What a person sees at a point of the frame."""
    px, py = (round(each) for each in editor.at(x, y))
    picture = editor.page.screenshot(clip={"x": px, "y": py, "width": 1, "height": 1})
    return Image.open(io.BytesIO(picture)).convert("RGB").getpixel((0, 0))


def test_objects_are_swapped_from_a_frame_on_and_accepted_frames_are_asked_about(tracked, two):
    tracked.project.accept(7, True)
    tracked.go(4)
    tracked.press("s")
    choose(tracked, "Do", "Swap with")
    assert panel(tracked).get_by_label("With").input_value() == "2"
    panel(tracked).get_by_text("Also change 1 accepted frame").wait_for()
    tracked.page.locator("#edits [role=status]", has_text="px of this frame change").wait_for()
    panel(tracked).get_by_role("button", name="Apply").click()
    tracked.page.locator(".toast", has_text="in 5 frames. 1 accepted frame left as it is.").wait_for()
    swapped = np.array([0, 2, 1], np.uint8)[two]
    assert [np.array_equal(ids(tracked, index), swapped) for index in range(10)] == [
        index in (4, 5, 6, 8, 9) for index in range(10)
    ]
    review = tracked.page.locator("#review")
    tracked.until(lambda: "object 1" in review.inner_text())  # who is doubtful was swapped too
    tracked.press("Control+z")
    tracked.until(lambda: "object 1" not in review.inner_text())
    tracked.go(7)
    choose(tracked, "Where", "all frames")
    panel(tracked).get_by_text("This frame is accepted and stays as it is.").wait_for()
    panel(tracked).get_by_label("Also change 1 accepted frame").check()
    tracked.page.locator("#edits [role=status]", has_text="px of this frame change").wait_for()
    choose(tracked, "Where", "this frame")
    tracked.press("Escape")
    panel(tracked).wait_for(state="hidden")


def test_one_click_applies_what_was_typed_and_undo_stays_at_a_frame_that_changes(tracked):
    page = tracked.page
    tracked.project.accept(6, True)
    tracked.go(5)
    tracked.press("s")
    choose(tracked, "Do", "Delete its pixels")
    choose(tracked, "Where", "a range")
    for label, number in (("First frame", "3"), ("Last frame", "6")):
        panel(tracked).get_by_label(label).click()
        tracked.press("Control+a", number)
    page.locator("#edits [role=status]", has_text="px of this frame change").wait_for()
    button = panel(tracked).get_by_role("button", name="Apply")
    there = button.bounding_box()
    page.mouse.move(there["x"] + 10, there["y"] + 10)
    page.mouse.down()  # the field is left: what this brings must not move the button away
    assert button.bounding_box() == there
    page.mouse.up()
    page.locator(".toast", has_text="in 3 frames. 1 accepted frame left as it is.").wait_for()
    tracked.press("Escape", "Control+z")
    tracked.until(lambda: (ids(tracked, 3) == 1).any())
    page.wait_for_function("() => document.querySelector('#redo')?.disabled === false")
    tracked.frame(5)


def test_edges_are_previewed_on_the_canvas_then_applied_or_cancelled(tracked, two):
    tracked.go(3)
    before = colour(tracked, 11.5, 6.5)
    tracked.press("k")
    choose(tracked, "Do", "Grow")
    tracked.page.locator("#edits [role=status]", has_text="px of this frame change").wait_for()
    tracked.until(lambda: colour(tracked, 11.5, 6.5) != before)
    slider = panel(tracked).get_by_label("Pixels")
    slider.focus()
    tracked.press("ArrowLeft", "ArrowLeft")
    tracked.page.locator("#edits output", has_text="by 1 px").wait_for()
    tracked.until(lambda: colour(tracked, 11.5, 6.5) == before)
    assert np.array_equal(ids(tracked, 3), two)
    panel(tracked).get_by_role("button", name="Cancel").click()
    assert np.array_equal(ids(tracked, 3), two)
    tracked.press("k")
    panel(tracked).get_by_label("Pixels").focus()
    tracked.press("ArrowLeft")
    tracked.page.locator("#edits output", has_text="by 2 px").wait_for()
    panel(tracked).get_by_role("button", name="Apply").click()
    tracked.page.locator("#status", has_text="Painted").wait_for()
    assert (ids(tracked, 3)[4:8, 0:12] == 1).all()
    assert not ids(tracked, 3)[4, 12]
    assert np.array_equal(ids(tracked, 3) == 2, two == 2)
    assert tracked.project.masks.marks[3] == Mark(frozenset([1]))
    tracked.press("Escape", "i", "k")  # with an in point alone, the range goes on to the end
    assert [panel(tracked).get_by_label(f"{end} frame").input_value() for end in ("First", "Last")] == ["3", "9"]


def test_a_piece_is_clicked_and_split_off_with_any_tool(tracked, two):
    tracked.go(2)
    tracked.press("s")
    choose(tracked, "Do", "Split a piece off")
    assert panel(tracked).get_by_role("button", name="Apply").is_disabled()
    choose(tracked, "Where", "this frame")
    tracked.click((35.5, 20))
    tracked.page.locator("#edits [role=status]", has_text="16 px of this frame change").wait_for()
    choose(tracked, "Where", "from this frame on")
    panel(tracked).get_by_role("button", name="Apply").click()
    assert panel(tracked).get_by_label("Into").input_value() == "new"
    tracked.page.locator("#objects", has_text="object 3").wait_for()
    assert not (ids(tracked, 1) == 3).any()
    for index in (2, 5, 9):
        assert np.array_equal(ids(tracked, index) == 3, (two == 1) & (np.arange(40) > 30))
    assert set(tracked.project.masks.marks) == {0}  # nothing was painted by the click


def test_the_strip_marks_islands_and_those_that_come_up_are_removed(tracked, two):
    page = tracked.page
    strip = page.locator("#strip").bounding_box()
    page.mouse.move(strip["x"] + 0.55 * strip["width"], strip["y"] + 20)
    tracked.until(lambda: "object 1 lies away" in (page.locator("#strip").get_attribute("title") or ""))
    page.mouse.move(strip["x"] + 0.05 * strip["width"], strip["y"] + 20)
    tracked.until(lambda: page.locator("#strip").get_attribute("title") == "")
    page.keyboard.press("Shift+K")
    panel(tracked).get_by_text("9 tracked frames have a piece away").wait_for()
    panel(tracked).get_by_role("button", name="Go to next").click()
    tracked.frame(1)
    panel(tracked).get_by_role("button", name="Count").click()
    panel(tracked).get_by_text("This would change 144 pixels in 9 frames.").wait_for()
    assert np.array_equal(ids(tracked, 5), two)
    panel(tracked).get_by_role("button", name="Remove", exact=True).click()
    panel(tracked).get_by_text("No tracked frame has a piece away").wait_for()
    for index in range(10):
        assert not ids(tracked, index)[:, 30:].any()
        assert (ids(tracked, index)[2:10, 2:10] == 1).all()
    tracked.press("Control+z")
    panel(tracked).get_by_text("9 tracked frames have a piece away").wait_for()
