"""A person looks at what a tracking run replaced, compares it with now, and brings it back."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.projects.result_log import FrameResult

_WHITE, _BLACK, _BLUE, _ORANGE = (254, 254, 254), (0, 0, 0), (46, 154, 254), (254, 140, 26)
_INSIDE_THEN, _INSIDE_NOW = (4, 10), (20, 10)  # pixels of frame 3


@pytest.fixture
def shows(editor):
    """Wait until pixels of the frame, (column, row), have these colours on the screen."""

    def seen(pixels) -> list[tuple[int, ...]]:
        shot = Image.open(io.BytesIO(editor.page.screenshot())).convert("RGB")
        places = [tuple(map(round, editor.at(column + 0.5, row + 0.5))) for column, row in pixels]
        return [tuple(value & ~1 for value in shot.getpixel(place)) for place in places]  # scaling rounds

    def wait(colours: dict[tuple[int, int], tuple[int, ...]]) -> None:
        for _ in range(30):
            if (found := seen(colours)) == [*colours.values()]:
                return
            editor.page.wait_for_timeout(50)
        assert found == [*colours.values()]

    return wait


@pytest.fixture
def run(editor):
    """Track, with a known result."""

    def track(masks: dict[int, np.ndarray], reliability: float) -> None:
        project = editor.project
        with project.steps.versions.run("Track forward"):
            for index, ids in masks.items():
                project.track_frame(index, ids, FrameResult({1: reliability}), None)
        project.hub.publish("changed", {"everything": True})

    return track


@pytest.fixture
def twice(editor, run, square):
    """Frames 0 to 7 tracked, then 2 to 7 again, each farther off."""
    run(dict.fromkeys(range(8), square), 0.95)
    run({index: np.roll(square, 4 * (index - 1), axis=1) for index in range(2, 8)}, 0.4)
    editor.page.locator("#review button").first.wait_for()
    editor.page.locator("#view").select_option("matte")
    editor.go(3)
    return editor


def look(editor, title: str = "Track forward, 6 frames") -> None:
    editor.press("h")
    editor.page.get_by_role("button", name=f"Look at what was before: {title}").click()
    editor.page.locator("#look").wait_for()


def test_a_version_is_seen_compared_and_brought_back(twice, shows, square):
    page, project = twice.page, twice.project
    shows({_INSIDE_THEN: _BLACK, _INSIDE_NOW: _WHITE})
    look(twice)
    bar, words = page.locator("#look"), page.locator("#look-words")
    assert 'You are looking at the masks before "Track forward, 6 frames"' in words.inner_text()
    shows({_INSIDE_THEN: _WHITE, _INSIDE_NOW: _BLACK})
    words.get_by_text("Differs from now by 160 pixels.").wait_for()
    twice.go(1)
    words.get_by_text("The run left this frame alone").wait_for()
    twice.go(3)

    page.keyboard.down("w")
    shows({_INSIDE_THEN: _BLACK, _INSIDE_NOW: _WHITE})
    page.keyboard.up("w")
    shows({_INSIDE_THEN: _WHITE, _INSIDE_NOW: _BLACK})
    bar.get_by_role("button", name="Difference").click()
    shows({_INSIDE_THEN: _ORANGE, _INSIDE_NOW: _BLUE})
    page.locator("#legend", has_text="Overlap of then and now").wait_for()
    page.locator("#view-legend", has_text="then only").wait_for()
    bar.get_by_role("button", name="Now", exact=True).click()
    shows({_INSIDE_THEN: _BLACK, _INSIDE_NOW: _WHITE})

    bar.get_by_role("button", name="Bring back").click()
    page.locator(".toast", has_text="are back").wait_for()
    bar.wait_for(state="hidden")
    shows({_INSIDE_THEN: _WHITE, _INSIDE_NOW: _BLACK})
    assert all(np.array_equal(project.mask(index).ids, square) for index in range(8))
    twice.press("Control+z")
    twice.until(lambda: not twice.page.locator("#redo").is_disabled())
    twice.frame(3)  # changes too: no other frame comes in its place
    shows({_INSIDE_THEN: _BLACK, _INSIDE_NOW: _WHITE})


def test_the_frames_that_differ_most_are_listed_and_stepped_through(twice):
    page = twice.page
    look(twice)
    page.locator("#tab-review", has_text="Differs most").wait_for()
    numbers = page.locator("#review strong")
    twice.until(
        lambda: numbers.all_inner_texts() == ["4", "6", "2"]
    )  # no neighbours; from frame 4 on nothing is in common
    twice.press("n")
    twice.frame(4)
    twice.press("n")
    twice.frame(6)
    twice.press("Shift+n")
    twice.frame(4)
    twice.press("Escape")
    page.locator("#look").wait_for(state="hidden")
    page.locator("#tab-review", has_text="Review list").wait_for()


def row_colours(page) -> set[tuple[int, ...]]:
    """The colours of the first object's row on the strip."""
    box = page.locator("#strip").bounding_box()
    clip = {"x": box["x"], "y": box["y"] + 55, "width": box["width"], "height": 1}
    shot = Image.open(io.BytesIO(page.screenshot(clip=clip))).convert("RGB")
    return {colour for count, colour in shot.getcolors() if count > 40}


def test_the_strip_is_as_it_was_then(twice):
    page = twice.page
    red, green = (0xD6, 0x45, 0x41), (0x2F, 0x9E, 0x63)
    page.mouse.move(5, 5)
    twice.until(lambda: {red, green} <= row_colours(page))
    look(twice)
    twice.until(lambda: green in row_colours(page) and red not in row_colours(page))
    page.locator("#look").get_by_role("button", name="Difference").click()
    twice.until(lambda: red in row_colours(page) and green not in row_colours(page))
    twice.press("Escape")
    twice.until(lambda: {red, green} <= row_colours(page))


def test_nothing_is_changed_by_accident_while_a_version_is_looked_at(twice, shows):
    page, project = twice.page, twice.project
    look(twice)
    before = [project.mask(index).tag for index in range(10)]

    def refused(act) -> None:
        act()
        page.locator(".toast", has_text="You are looking at masks as they were").wait_for()
        twice.dismiss()

    x, y = twice.at(30, 20)
    refused(lambda: page.mouse.click(x, y))
    page.locator("#canvas").focus()
    for key in ("a", "g", "s", "Control+ArrowRight", "u"):
        refused(lambda key=key: twice.press(key))
    assert [project.mask(index).tag for index in range(10)] == before
    twice.press("Escape")
    twice.brush(4)
    twice.drag((30, 3), (36, 3))
    assert project.mask(3).ids[3, 32] == 1
    shows({(30, 3): _WHITE, _INSIDE_NOW: _WHITE})


def test_what_changes_elsewhere_is_compared_again_and_seen(twice, square, shows):
    look(twice)
    note = twice.page.locator("#look-words").get_by_text("Differs from now by 160 pixels.")
    note.wait_for()
    twice.project.paint(3, square, twice.project.mask(3).tag)
    twice.page.locator("#look-words", has_text="As now in this frame. Bring back leaves what you painted").wait_for()
    shows({_INSIDE_THEN: _WHITE})
    twice.press("w")
    twice.press("Control+z")  # which is seen, so it ends the look
    twice.page.locator("#look").wait_for(state="hidden")
    shows({_INSIDE_THEN: _BLACK, _INSIDE_NOW: _WHITE})


def test_a_version_that_goes_meanwhile_ends_the_look_in_words(twice, run, square, shows):
    look(twice)
    shows({_INSIDE_THEN: _WHITE})
    for shift in range(10):
        run({9: np.roll(square, shift + 1, axis=1)}, 0.5)
    twice.page.locator("#canvas").focus()
    twice.press("ArrowRight")
    twice.page.locator(".toast", has_text="This version is not kept any more").wait_for()
    twice.page.locator("#look").wait_for(state="hidden")
    twice.frame(4)
    shows({(4, 10): _BLACK, (22, 10): _WHITE})


def test_what_ends_elsewhere_is_said_without_an_offer_that_would_lead_to_other_frames(server, twice):
    look(twice)
    twice.page.request.post(f"{server.address}/api/projects/{twice.project.id}/review")
    toast = twice.page.locator(".toast", has_text="Computed the reliability of 10 frames.")
    toast.wait_for()
    assert toast.get_by_role("button").all_inner_texts() == [""], "it can be dismissed"
    twice.dismiss()
    twice.page.locator("#look-words").get_by_text("Differs from now").wait_for()


def test_looking_ends_when_tracking_starts(twice):
    look(twice)
    twice.press("t")
    twice.page.locator("#look").wait_for(state="hidden")


def test_a_run_that_is_refused_leaves_the_look_and_the_hint_as_they_are(twice):
    page = twice.page
    twice.brush(4)
    twice.drag((30, 5), (34, 5))
    hint = page.locator("#hint", has_text="Track again")
    hint.wait_for()
    look(twice)
    refusal = {"problem": "The project is being tracked already.", "remedy": "Wait for it.", "kind": "ConflictError"}
    page.route("**/track", lambda route: route.fulfill(status=409, json=refusal))
    twice.press("t")
    page.locator(".toast", has_text="being tracked already").wait_for()
    assert page.locator("#look").is_visible()
    twice.dismiss()
    twice.press("Escape")
    hint.wait_for()


@pytest.mark.parametrize("size", [(853, 480), (1024, 768), (1280, 720)])
def test_no_word_of_the_look_is_cut(twice, size):
    page = twice.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    look(twice)
    words = page.locator("#look-words")
    words.get_by_text("Differs from now by 160 pixels.").wait_for()
    fits = "(box) => box.scrollWidth <= box.clientWidth && box.scrollHeight <= box.clientHeight"
    assert words.evaluate(fits)
    page.locator("#look").get_by_role("button", name="Difference").click()
    page.locator("#view-legend", has_text="then only").wait_for()
    assert words.evaluate(fits)
    bar = page.locator(".stage-bar")
    assert bar.evaluate(fits)
    end = bar.bounding_box()["x"] + bar.bounding_box()["width"]
    for button in bar.get_by_role("button").all():
        if button.is_visible():
            assert button.evaluate(fits)
            assert button.bounding_box()["x"] + button.bounding_box()["width"] <= end


def test_many_frames_that_change_at_once_are_compared_again(twice, square):
    look(twice)
    twice.page.locator("#look-words").get_by_text("Differs from now by 160 pixels.").wait_for()
    project = twice.project
    with project.lock:
        for index in range(2, 8):
            project.masks.write_tracked(index, square, None, project.masks.with_tracked(index, square))
    project.tell_frames(range(40))  # so many that the page fetches everything
    twice.page.locator("#look-words").get_by_text("As now in this frame.").wait_for()
    twice.page.locator("#review", has_text="No frame differs from now.").wait_for()
