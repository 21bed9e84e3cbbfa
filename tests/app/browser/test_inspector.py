"""The right side: nothing lies over the picture, lists have room at 1280x720, sections fold and remember it."""

from __future__ import annotations

import numpy as np
import pytest

from cyclevos.app.projects.project_file import ObjectInfo
from cyclevos.app.projects.result_log import FrameResult

_IN_VIEW = """(all) => all.filter((each) => {
    const own = each.getBoundingClientRect(), box = each.closest('ul, ol').getBoundingClientRect();
    return own.top >= box.top - 1 && own.bottom <= box.bottom + 1;
}).length"""


@pytest.fixture
def crowd(editor):
    """Thirty objects, of which one is tracked badly in nine frames."""
    project = editor.project
    infos = [ObjectInfo(id=k, name=f"person {k}") for k in range(1, 31)]
    project.change(lambda file: setattr(file, "objects", infos))
    mask = np.zeros((24, 40), np.uint8)
    mask[6:16, 3:13] = 1
    with project.lock:
        project.paint(0, mask, project.mask(0).tag)
        for index in range(1, 10):
            project.track_frame(index, mask, FrameResult({1: 0.2 + index / 50}), None)
    editor.page.reload()
    editor.frame(0)
    editor.page.locator("#review li").nth(3).wait_for()
    editor.page.locator("#objects .pick").nth(29).wait_for()
    return editor


def _in_view(page, name: str) -> int:
    return page.locator(f"#{name} li").evaluate_all(_IN_VIEW)


def test_the_canvas_stays_and_nothing_covers_it_when_an_edit_opens(crowd):
    page = crowd.page
    before = page.locator("#canvas").bounding_box()
    zoom = page.locator("#zoom").inner_text()
    for key in ("s", "k", "Shift+k"):
        crowd.press(key)
        box = page.locator("#edits").bounding_box()
        assert box["x"] >= before["x"] + before["width"]
        assert page.locator("#edits .primary").bounding_box()["y"] < 600  # its button is in view
        assert page.locator("#canvas").bounding_box() == before
        assert page.locator("#zoom").inner_text() == zoom
        assert _in_view(page, "objects") >= 2  # what is edited can be chosen in the list
    for popover in ("plan", "settings"):
        page.locator(f"#{popover}-open").click()
        assert page.locator(f"#{popover}").bounding_box()["x"] >= before["x"] + before["width"]
        crowd.press("Escape")


def test_lists_have_room_and_a_folded_section_gives_up_its_own(crowd):
    page = crowd.page
    assert _in_view(page, "objects") >= 3
    before = _in_view(page, "review")
    assert before >= 4
    fold = page.get_by_role("button", name="Objects", exact=True)
    fold.click()
    assert page.locator("#objects").is_hidden()
    assert _in_view(page, "review") > before
    page.reload()
    page.locator("#review li").first.wait_for()
    assert fold.get_attribute("aria-expanded") == "false"
    assert page.locator("#objects").is_hidden()
    fold.click()
    page.locator("#objects .pick").first.wait_for()


def test_the_entry_of_the_frame_on_screen_is_in_view(crowd):
    numbers = [int(text) for text in crowd.page.locator("#review strong").all_inner_texts()]
    assert len(numbers) > _in_view(crowd.page, "review")
    current = crowd.page.locator("#review button[aria-current]")
    for frame in (numbers[-1], numbers[0]):
        crowd.go(frame)
        current.get_by_text(str(frame), exact=True).wait_for()
        assert current.evaluate(f"(button) => ({_IN_VIEW})([button])") == 1


def test_a_window_of_another_size_keeps_the_middle_of_the_picture(editor):
    page = editor.page
    middle = """async () => {
        const { canvas, imagePoint } = await import('/js/canvas/view.js');
        const { left, top, width, height } = canvas.getBoundingClientRect();
        const { x, y } = imagePoint({ clientX: left + width / 2, clientY: top + height / 2 });
        return [x, y];
    }"""
    page.mouse.move(*editor.at(30, 8))
    for _ in range(3):
        page.mouse.wheel(0, -150)
    editor.until(lambda: int(page.locator("#zoom").inner_text().split()[0]) > 3000)
    before = page.evaluate(middle)
    assert np.hypot(before[0] - 20, before[1] - 12) > 3  # not the middle of the frame, which fitting would keep as well
    page.set_viewport_size({"width": 1600, "height": 900})
    editor.until(lambda: page.locator("#canvas").bounding_box()["width"] > 1200)
    page.wait_for_timeout(50)
    assert page.evaluate(middle) == pytest.approx(before, abs=0.1)


def test_an_edit_without_objects_says_what_comes_first(editor):
    editor.press("k")
    editor.page.locator("#edits", has_text="There is no object yet.").wait_for()
    editor.press("m")
    editor.page.locator("#edits").get_by_label("Do", exact=True).wait_for()
