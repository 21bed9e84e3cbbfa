"""Messages: where they stand, how many there are, who hears them, and the undoing that they offer."""

from __future__ import annotations

import numpy as np
import pytest

_SAY = """async ([texts, isError]) => {
    const { toast } = await import('/js/page/ui.js');
    for (const text of texts) toast(isError ? Object.assign(new Error(text), { remedy: 'Do this.' }) : text);
}"""


def _overlap(a: dict[str, float], b: dict[str, float]) -> bool:
    across = min(a["x"] + a["width"], b["x"] + b["width"]) - max(a["x"], b["x"])
    down = min(a["y"] + a["height"], b["y"] + b["height"]) - max(a["y"], b["y"])
    return across > 0 and down > 0


@pytest.fixture
def lone(editor, square):
    """A frame that was painted; the hint asks for more."""
    editor.project.paint(0, square, editor.project.mask(0).tag)
    editor.page.locator("#hint", has_text="Add more objects").wait_for()
    return editor


@pytest.mark.parametrize("size", [(1280, 720), (853, 480)])
def test_messages_cover_neither_hint_nor_question_nor_controls(lone, size):
    page = lone.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    lone.press("ArrowRight")
    lone.frame(1)
    lone.press("g")
    page.locator("#asked", has_text="is gone").wait_for()
    page.evaluate(_SAY, [["one", "two"], False])
    page.evaluate(_SAY, [["three"], True])
    toasts = [each.bounding_box() for each in page.locator(".toast").all()]
    assert len(toasts) == 3
    stage = page.locator("#canvas-box").bounding_box()
    for box in toasts:
        assert box["y"] >= stage["y"]
        assert box["x"] >= stage["x"]
        assert box["x"] + box["width"] <= stage["x"] + stage["width"]
    others = [page.locator(name).bounding_box() for name in ("#hint", "#asked")]
    everything = [*toasts, *others]
    for k, one in enumerate(everything):
        assert not any(_overlap(one, other) for other in everything[k + 1 :])


def test_a_message_said_again_stays_one_and_the_stack_is_bounded(lone):
    page = lone.page
    page.evaluate(_SAY, [["the same", "the same"], False])
    assert page.locator(".toast", has_text="the same").count() == 1
    page.evaluate(_SAY, [[f"message {k}" for k in range(8)], False])
    assert page.locator(".toast p").all_inner_texts() == ["message 5", "message 6", "message 7"]
    page.evaluate(_SAY, [["it failed"], True])
    assert "it failed" in page.get_by_role("alert").filter(has=page.locator(".toast")).inner_text()
    assert "message 7" in page.locator("#toasts").get_by_role("status").inner_text()


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


def test_the_words_of_a_hint_let_strokes_through_and_its_buttons_do_not(lone):
    page, project = lone.page, lone.project
    before = project.mask(0).ids.copy()
    words, button = (page.locator(f"#hint {part}").first.bounding_box() for part in ("span", "button"))
    page.mouse.click(words["x"] + words["width"] / 2, words["y"] + words["height"] / 2)
    lone.until(lambda: not np.array_equal(project.mask(0).ids, before))
    painted = project.mask(0).ids.copy()
    page.mouse.click(button["x"] + button["width"] / 2, button["y"] + button["height"] / 2)
    lone.tracked()
    assert np.array_equal(project.mask(0).ids, painted)
