"""The tool Point with real pointer events: what is clicked, drawn and undone is what the server holds, to the pixel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.projects.project_file import ObjectInfo
from cyclevos.app.projects.result_log import FrameResult

SIZE = (24, 40)


@pytest.fixture
def pointing(prompter, editor):
    """The small clip with the tool Point, and a prompter whose answers are known."""
    editor.press("c")
    editor.page.locator("#tool-point[aria-pressed=true]").wait_for()
    editor.prompter = prompter
    return editor


@pytest.fixture
def shows(pointing):
    """Wait until the server holds this mask of an object."""

    def wait(expected: np.ndarray, index: int = 0, object_id: int = 1) -> None:
        pointing.until(lambda: np.array_equal(pointing.project.mask(index).ids == object_id, expected))
        pointing.saved()

    return wait


def points_of(editor) -> list[tuple[int, int, bool]]:
    """Pixels of the clicks that were asked for last."""
    prompts, _ = editor.prompter.asked[-1]
    return [(int(click.x), int(click.y), click.positive) for click in prompts.clicks]


def colour_at(editor, x: float, y: float) -> tuple[int, ...]:
    box = editor.page.locator("#canvas").bounding_box()
    left, top = editor.at(x, y)
    script = "(c, [x, y]) => [...c.getContext('2d').getImageData(x, y, 1, 1).data]"
    return tuple(editor.page.locator("#canvas").evaluate(script, [left - box["x"], top - box["y"]])[:3])


def test_clicks_add_and_take_away_and_are_undone_one_by_one(pointing, shows):
    of = pointing.prompter.of
    clicks = [(8, 6, True), (15, 8, True), (9, 7, False), (14, 9, False)]
    pointing.click((8.5, 6.5))
    shows(of(SIZE, *clicks[:1]))
    pointing.click((15.5, 8.5))
    shows(of(SIZE, *clicks[:2]))
    pointing.page.keyboard.down("Alt")
    pointing.click((9.5, 7.5))
    pointing.page.keyboard.up("Alt")
    shows(of(SIZE, *clicks[:3]))
    pointing.page.mouse.click(*pointing.at(14.5, 9.5), button="right")
    shows(of(SIZE, *clicks))
    assert points_of(pointing) == clicks
    assert [info.name for info in pointing.project.file.objects] == ["object 1"]
    for left in (3, 2, 1):
        pointing.press("Control+z")
        shows(of(SIZE, *clicks[:left]))
    pointing.press("Control+z")
    pointing.page.locator("#status", has_text="No mask").wait_for()
    assert not pointing.project.masks.marks
    for there in (1, 2, 3):
        pointing.press("Control+Shift+Z")
        shows(of(SIZE, *clicks[:there]))
    pointing.click((30.5, 15.5))  # the clicks came back with their masks: this is one more
    shows(of(SIZE, *clicks[:3], (30, 15, True)))
    assert points_of(pointing) == [*clicks[:3], (30, 15, True)]
    assert pointing.prompter.asked[-1][1] is None


def test_clicks_made_before_the_first_answer_are_steps_of_their_own(pointing, shows):
    of = pointing.prompter.of
    pointing.prompter.may_answer.clear()
    pointing.click((8.5, 6.5), (20.5, 12.5), (32.5, 18.5))
    pointing.press("Control+z")  # the last one, which has no mask yet
    pointing.prompter.may_answer.set()
    shows(of(SIZE, (8, 6, True), (20, 12, True)))
    pointing.press("Control+z")
    shows(of(SIZE, (8, 6, True)))


def test_dragging_draws_a_box_which_replaces_what_was_there(pointing, shows):
    of = pointing.prompter.of
    pointing.click((30.5, 18.5))
    shows(of(SIZE, (30, 18, True)))
    pointing.drag((5.02, 4.02), (12, 8), (20.02, 14.02))
    shows(of(SIZE, box=(5, 4, 20, 14)))
    assert points_of(pointing) == []
    pointing.click((30.5, 5.5))
    shows(of(SIZE, (30, 5, True), box=(5, 4, 20, 14)))
    pointing.press("Control+z", "Control+z")
    shows(of(SIZE, (30, 18, True)))
    x, y = pointing.at(0, 0)
    pointing.page.mouse.move(x - 6, y - 6)  # from outside of the picture
    pointing.page.mouse.down()
    pointing.page.mouse.move(*pointing.at(10.02, 9.02), steps=3)
    pointing.page.mouse.up()
    shows(of(SIZE, box=(0, 0, 10, 9)))
    pointing.page.mouse.click(x - 6, y - 6)
    pointing.page.wait_for_timeout(100)
    assert points_of(pointing) == []


@pytest.mark.parametrize(("key", "button", "positive"), [("Control", "left", True), (None, "right", False)])
def test_a_stroke_counts_as_many_clicks(pointing, shows, key, button, positive):
    pointing.drag((2.02, 2.02), (10, 8), (38.02, 22.02))
    shows(pointing.prompter.of(SIZE, box=(2, 2, 38, 22)))
    if key:
        pointing.page.keyboard.down(key)
    pointing.drag((5.5, 12.5), (20, 12.5), (34.5, 12.5), button=button)
    if key:
        pointing.page.keyboard.up(key)
    pointing.until(lambda: len(points_of(pointing)) > 3)
    clicks = points_of(pointing)
    assert {(row, sign) for _, row, sign in clicks} == {(12, positive)}
    columns = [column for column, _, _ in clicks]
    assert columns[0] == 5
    assert columns[-1] >= 32
    assert columns == sorted(set(columns))
    shows(pointing.prompter.of(SIZE, *clicks, box=(2, 2, 38, 22)))
    pointing.press("Control+z")  # one step
    shows(pointing.prompter.of(SIZE, box=(2, 2, 38, 22)))


def test_tab_shows_the_next_candidate_and_undo_takes_the_click(pointing, shows):
    of = pointing.prompter.of
    pointing.click((8.5, 6.5))
    first, wider = of(SIZE, (8, 6, True)), of(SIZE, (8, 6, True), wider=1)
    shows(first)
    pointing.press("Tab")
    shows(wider)
    pointing.page.locator(".toast", has_text="Candidate 2 of 2.").wait_for()
    pointing.press("Tab")
    shows(first)
    pointing.press("Tab")
    shows(wider)
    pointing.click((25.5, 15.5))  # the one that was chosen is gone on with
    shows(of(SIZE, (8, 6, True), (25, 15, True), mask=wider))
    assert np.array_equal(pointing.prompter.asked[-1][1], wider)
    pointing.press("Control+z")
    shows(wider)
    pointing.press("Control+z")
    pointing.page.locator("#status", has_text="No mask").wait_for()
    pointing.press("Control+Shift+Z")
    shows(wider)
    pointing.press("Escape", "Tab")  # without clicks on the screen, Tab moves the focus
    assert pointing.page.evaluate("document.activeElement.id") != "canvas"
    shows(wider)


def test_a_tracked_mask_is_repaired(pointing, shows):
    tracked = np.zeros(SIZE, np.uint8)
    tracked[5:15, 5:25] = 1
    tracked[18:22, 2:10] = 2
    objects = [ObjectInfo(id=1, name="one"), ObjectInfo(id=2, name="two")]
    pointing.project.change(lambda file: setattr(file, "objects", objects))
    pointing.page.locator("#objects li.active", has_text="one").wait_for()
    pointing.project.track_frame(3, tracked, FrameResult({1: 0.4}), None)
    pointing.go(3)
    pointing.page.locator("#status", has_text="Tracked").wait_for()
    pointing.page.locator("#canvas").focus()
    pointing.click((8.5, 17.5))
    one = pointing.prompter.of(SIZE, (8, 17, True), mask=tracked == 1)
    shows(one, 3)
    assert np.array_equal(pointing.prompter.asked[-1][1], tracked == 1)
    ids = pointing.project.mask(3).ids
    assert np.array_equal(ids == 2, (tracked == 2) & ~one)
    assert pointing.project.masks.marks[3].objects == {1}  # the other one was not meant
    pointing.page.mouse.click(*pointing.at(20.5, 10.5), button="right")
    shows(pointing.prompter.of(SIZE, (8, 17, True), (20, 10, False), mask=tracked == 1), 3)
    pointing.press("Control+z", "Control+z")
    pointing.page.locator("#status", has_text="Tracked").wait_for()
    assert np.array_equal(pointing.project.mask(3).ids, tracked)


def test_pixels_of_another_object_come_back_and_a_locked_one_keeps_its_own(pointing, shows):
    pointing.drag((2.02, 2.02), (14, 9), (24.02, 14.02))
    first = pointing.prompter.of(SIZE, box=(2, 2, 24, 14))
    shows(first)
    pointing.press("m")
    pointing.page.locator("#objects li.active", has_text="object 2").wait_for()
    pointing.click((20.5, 8.5))
    second = pointing.prompter.of(SIZE, (20, 8, True))
    shows(second, object_id=2)
    shows(first & ~second)
    pointing.page.mouse.click(*pointing.at(19.5, 7.5), button="right")
    less = pointing.prompter.of(SIZE, (20, 8, True), (19, 7, False))
    shows(less, object_id=2)
    shows(first & ~less)  # what the second one gave up is the first one's again
    pointing.press("Control+z", "Control+z")
    shows(first)
    pointing.page.get_by_role("button", name="Lock object 1").click()
    pointing.page.get_by_role("button", name="Unlock object 1").wait_for()
    pointing.click((24.5, 8.5))
    shows(pointing.prompter.of(SIZE, (24, 8, True)) & ~first, object_id=2)
    shows(first)


@pytest.mark.parametrize(("button", "word"), [("Lock", "locked"), ("Hide", "hidden")])
def test_an_object_that_is_locked_or_hidden_is_refused_in_words(pointing, shows, button, word):
    pointing.click((8.5, 6.5))
    before = pointing.prompter.of(SIZE, (8, 6, True))
    shows(before)
    pointing.page.get_by_role("button", name=f"{button} object 1").click()
    pointing.page.locator("#objects .on").wait_for()
    pointing.click((25.5, 15.5))
    pointing.page.locator(".toast", has_text=f"This object is {word}").wait_for()
    assert len(pointing.prompter.asked) == 1
    shows(before)


def test_a_click_beside_comes_after_one_on_the_object(pointing):
    pointing.page.mouse.click(*pointing.at(14.5, 9.5), button="right")
    pointing.page.locator(".toast", has_text="Click on it first").wait_for()
    assert not pointing.prompter.asked
    assert not pointing.project.masks.marks


def test_clicks_stay_to_be_seen_until_the_frame_is_left(pointing, shows):
    plain = colour_at(pointing, 8.5, 6.5), colour_at(pointing, 30.5, 15.5)
    pointing.click((8.5, 6.5), (30.5, 15.5))
    pointing.page.mouse.click(*pointing.at(32.5, 16.5), button="right")
    shows(pointing.prompter.of(SIZE, (8, 6, True), (30, 15, True), (32, 16, False)))

    def signs() -> tuple[bool, ...]:
        """White strokes of the signs: across both, down the plus alone; at a quarter of a pixel from the centre."""
        by = 2.5 / pointing.page.locator("#canvas").bounding_box()["width"] * SIZE[1]
        places = (8.5 + by, 6.5), (8.5, 6.5 + by), (32.5 + by, 16.5), (32.5, 16.5 + by)
        return tuple(min(colour_at(pointing, *place)) > 200 for place in places)

    pointing.until(lambda: signs() == (True, True, True, False))
    pointing.press("ArrowRight")
    pointing.frame(1)
    pointing.press("ArrowLeft")
    pointing.frame(0)
    pointing.page.wait_for_timeout(50)
    assert signs() != (True, True, True, False)
    assert plain != (colour_at(pointing, 8.5, 6.5), colour_at(pointing, 30.5, 15.5))  # the mask is there
    pointing.click((20.5, 20.5))  # a new beginning: what is there is repaired
    pointing.until(lambda: points_of(pointing) == [(20, 20, True)])
    assert pointing.prompter.asked[-1][1].any()


def test_shift_previews_what_a_click_would_give(pointing, shows):
    place = 22.5, 15.5
    plain = colour_at(pointing, *place)
    pointing.page.keyboard.down("Shift")
    pointing.page.mouse.move(*pointing.at(21.5, 14.5), steps=3)
    pointing.until(lambda: colour_at(pointing, *place) != plain)
    pointing.page.keyboard.up("Shift")
    pointing.until(lambda: colour_at(pointing, *place) == plain)
    assert not pointing.project.masks.marks
    pointing.page.keyboard.down("Shift")
    pointing.until(lambda: colour_at(pointing, *place) != plain)
    pointing.click((21.5, 14.5))
    pointing.page.keyboard.up("Shift")
    shows(pointing.prompter.of(SIZE, (21, 14, True)))


def test_pointing_goes_on_while_tracking_works(pointing, shows, go_on):
    pointing.click((8.5, 10.5))
    shows(pointing.prompter.of(SIZE, (8, 10, True)))
    pointing.press("t")
    pointing.until(lambda: 4 in pointing.project.masks.tracked)
    pointing.page.locator("#job-figures", has_text="of 10").wait_for()
    pointing.go(8)
    pointing.page.locator("#canvas").focus()
    pointing.click((20.5, 10.5))
    shows(pointing.prompter.of(SIZE, (20, 10, True)), 8)
    assert pointing.page.locator("#job-figures").is_visible()
    go_on.set()
    pointing.page.locator("#job").wait_for(state="hidden")
    assert pointing.project.masks.tracked == frozenset(range(10))
    assert (pointing.project.mask(8).ids == 1)[10, 20]


def test_all_of_pointing_can_be_done_by_keys(pointing, shows):
    pointing.page.locator("#canvas").focus()
    pointing.press("Alt+ArrowLeft", "Enter")
    pointing.until(lambda: len(pointing.prompter.asked) == 1)
    [(column, row, positive)] = points_of(pointing)
    assert (row, positive) == (12, True)
    shows(pointing.prompter.of(SIZE, (column, row, True)))
    pointing.press("Shift+Enter", *["Alt+ArrowRight"] * 2, "Alt+ArrowDown", "Enter")
    pointing.until(lambda: pointing.prompter.asked[-1][0].box is not None)
    shows(pointing.prompter.of(SIZE, box=pointing.prompter.asked[-1][0].box))


def test_an_empty_project_says_how_to_begin(prompter, editor):
    hint = editor.page.locator("#hint")
    assert "Press C and click the object" in hint.inner_text()
    hint.get_by_role("button", name="Point at it").click()
    editor.page.locator("#tool-point[aria-pressed=true]").wait_for()
    editor.page.locator("#hint", has_text="Click the object").wait_for()
    editor.click((8.5, 6.5))
    editor.page.locator("#hint", has_text="Tab shows another candidate").wait_for()
    editor.press("b")
    editor.page.locator("#hint", has_text="Add more objects").wait_for()
    editor.press("x")  # the key of the tool for boxes, before
    editor.page.locator("#tool-point[aria-pressed=true]").wait_for()


@pytest.fixture
def options(options, request, tmp_path):
    if getattr(request, "param", None) == "no weights":
        return replace(options, prompter=str(tmp_path / "gone.safetensors"))
    return options


@pytest.mark.parametrize("options", ["no weights"], indirect=True)
def test_without_its_weights_the_tool_says_so_and_the_brush_works(editor):
    editor.press("c")
    said = editor.page.locator(".toast.error", has_text="gone.safetensors")
    said.get_by_role("button", name="Dismiss").click()
    editor.click((8.5, 6.5))
    said.wait_for()  # again
    assert not editor.project.masks.marks
    editor.press("b")
    editor.drag((8, 6), (20, 6))
    assert editor.project.mask(0).ids[6, 12] == 1


def test_the_packaged_prompter_obeys_clicks_on_a_real_frame_at_4k(server, new_page, tmp_path, car_frame):
    folder = tmp_path / "videos" / "4k"
    folder.mkdir(parents=True)
    Image.fromarray(car_frame).resize((3840, 2160), Image.Resampling.BICUBIC).save(folder / "0.jpg", quality=90)
    person, person_size = new_page(), (2160, 3840)
    person.size = person_size
    project = server.guard.services.workspace.create(folder)
    person.page.goto(f"{server.address}/?project={project.id}")
    person.frame(0)
    with person.page.expect_response("**/point"):  # loaded
        person.press("c")
    person.click((1950, 1160))
    person.page.locator("#status", has_text="Painted").wait_for()
    person.saved()
    column, row = pixel_under(person, 1950, 1160)
    assert project.mask(0).ids[row, column] == 1
    person.page.mouse.click(*person.at(200, 2000), button="right")
    person.until(lambda: person.page.locator("#redo").is_disabled())
    column, row = pixel_under(person, 200, 2000)
    person.until(lambda: project.mask(0).ids[row, column] == 0)
    person.press("Control+z", "Control+z")
    person.page.locator("#status", has_text="No mask").wait_for()


def pixel_under(person, x: float, y: float) -> tuple[int, int]:
    """The pixel of the frame that the mouse hits, which stands on whole pixels of the screen."""
    (left, top), (x0, y0), (x1, _) = person.at(x, y), person.at(0, 0), person.at(1000, 0)
    scale = (x1 - x0) / 1000
    return int((left - x0) / scale), int((top - y0) / scale)
