"""Messages: where they stand, one at a time, who hears them, and the undoing that they offer."""

from __future__ import annotations

import numpy as np
import pytest

_SAY = """async ([texts, isError]) => {
    const { toast } = await import('/js/page/messages.js');
    for (const text of texts) toast(isError ? Object.assign(new Error(text), { remedy: 'Do this.' }) : text);
}"""


_OVER = """(canvas) => {
    const { left, top, width, height } = canvas.getBoundingClientRect();
    const steps = [...Array(41).keys()].map((k) => k / 40);
    const at = (x, y) => document.elementFromPoint(left + 1 + x * (width - 2), top + 1 + y * (height - 2));
    return steps.flatMap((x) => steps.map((y) => at(x, y)))
        .filter((element) => element !== canvas).map((element) => element.outerHTML);
}"""


@pytest.fixture
def lone(editor, square):
    """A frame that was painted; the hint asks for more."""
    editor.project.paint(0, square, editor.project.mask(0).tag)
    editor.page.locator("#hint", has_text="Add more objects").wait_for()
    return editor


@pytest.mark.parametrize("size", [(1280, 720), (1024, 768), (853, 480)])
def test_nothing_lies_over_the_picture_and_it_stays_where_it_is(lone, size):
    page = lone.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    hint, asked, canvas = page.locator("#hint"), page.locator("#asked"), page.locator("#canvas")
    before = canvas.bounding_box()

    def check() -> None:
        assert canvas.evaluate(_OVER) == []
        assert canvas.bounding_box() == before

    assert hint.is_visible()
    check()
    lone.press("ArrowRight")
    lone.frame(1)
    lone.press("g")
    asked.get_by_text("is gone").wait_for()
    assert hint.is_hidden()  # the question is more urgent
    check()
    page.evaluate(_SAY, [["a message that is longer than its line has room for: " + 40 * "more of it, "], True])
    message = page.locator(".toast")
    line = page.locator("#notices").bounding_box()
    box = message.bounding_box()
    assert line["y"] <= box["y"]
    assert box["y"] + box["height"] <= line["y"] + line["height"]
    assert message.evaluate("(box) => box.scrollWidth <= box.clientWidth")  # what is too long goes on below
    check()
    message.get_by_role("button", name="Dismiss").click()
    asked.get_by_text("is gone").wait_for()
    check()


def test_the_lowest_row_is_painted_while_a_hint_is_shown(lone):
    project = lone.project
    assert lone.page.locator("#hint").is_visible()
    lone.brush(1)
    lone.drag((1, 23.5), (20, 23.5), (39, 23.5))
    lone.until(lambda: (project.mask(0).ids[23] == 1).sum() >= 38)


def test_messages_come_one_at_a_time_and_those_that_wait_lose_no_time(lone):
    page, shown = lone.page, lone.page.locator(".toast:visible p")
    page.evaluate(_SAY, [["the same", "the same"], False])
    assert page.locator(".toast", has_text="the same").count() == 1
    page.evaluate(_SAY, [[f"message {k}" for k in range(8)], False])
    assert page.locator(".toast p").all_text_contents() == ["message 5", "message 6", "message 7"]
    assert shown.all_inner_texts() == ["message 7"]
    assert "message 7" in page.locator("#toasts").get_by_role("status").inner_text()
    page.evaluate(_SAY, [["it failed"], True])
    assert "it failed" in page.get_by_role("alert").filter(has=page.locator(".toast")).inner_text()
    assert shown.all_inner_texts() == ["it failed", "Do this."]
    page.clock.install()
    page.locator(".toast:visible").get_by_role("button", name="Dismiss").click()
    assert shown.all_inner_texts() == ["message 7"]
    page.mouse.move(5, 5)
    page.clock.run_for(5500)
    assert shown.all_inner_texts() == ["message 6"]


def test_a_message_with_the_focus_stays_and_gives_the_focus_back(lone):
    page = lone.page
    page.clock.install()
    page.evaluate(_SAY, [["read me"], False])
    toast = page.locator(".toast", has_text="read me")
    toast.get_by_role("button", name="Dismiss").focus()
    page.clock.run_for(60_000)
    assert toast.is_visible()
    page.locator("#strip").focus()
    page.clock.run_for(6_000)
    assert toast.count() == 0
    page.evaluate(_SAY, [["read me"], False])
    toast.get_by_role("button", name="Dismiss").focus()
    lone.press("Enter")
    assert page.evaluate("document.activeElement.id") == "canvas"


def test_undo_is_offered_by_the_message_and_reached_by_tab_from_the_canvas(lone, square):
    page, project = lone.page, lone.project
    page.locator("#forget").click()
    page.locator(".toast", has_text="Cleared frame 0.").wait_for()
    assert not project.mask(0).ids.any()
    page.locator("#canvas").focus()
    lone.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Undo"
    lone.press("Enter")
    lone.until(lambda: np.array_equal(project.mask(0).ids, square))


def test_undo_of_a_message_does_not_take_back_what_was_done_since(lone, square):
    page, project = lone.page, lone.project
    page.get_by_role("button", name="Delete object 1").click()
    page.locator("#dialog").get_by_role("button", name="Delete").click()
    undo = page.locator(".toast", has_text="Deleted object 1").get_by_role("button", name="Undo")
    undo.wait_for()
    lone.brush(5)
    lone.drag((30, 18), (34, 18))
    after = project.mask(0).ids.copy()
    undo.click()
    page.locator(".toast", has_text="Something else was done since").wait_for()
    assert np.array_equal(project.mask(0).ids, after)


def test_an_offer_to_undo_goes_when_the_step_was_undone_by_its_key(lone, square):
    page, project = lone.page, lone.project
    page.locator("#forget").click()
    page.locator(".toast", has_text="Cleared frame 0.").wait_for()
    page.locator("#canvas").focus()
    lone.press("Control+z")
    page.locator(".toast", has_text="Cleared frame 0.").wait_for(state="detached")
    assert np.array_equal(project.mask(0).ids, square)
