"""What to track and where an object is gone, as a person says it on the strip, and what the page says meanwhile."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest

from cyclevos.app.projects.project_file import ObjectInfo
from cyclevos.app.projects.result_log import FrameResult
from cyclevos.app.work import tracking


@pytest.fixture
def painted(editor):
    """The clip with a square on its first frame."""
    editor.brush(6)
    editor.drag((5, 8), (11, 8), (11, 13), (5, 13))
    return editor


@pytest.fixture
def tracked(painted, square):
    """The same with tracked masks of known reliability: frame 6 is the worst, then 3."""
    values = {3: 0.5, 6: 0.3}
    for index in range(1, 10):
        painted.project.track_frame(index, square, FrameResult({1: values.get(index, 0.95)}), None)
    painted.project.hub.publish("changed", {})
    painted.until(lambda: painted.page.locator("#review button").count() == 2)
    return painted


def middle(page, name: str) -> tuple[float, float]:
    box = page.locator(name).bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def test_a_range_is_set_dragged_kept_and_tracked(painted):
    page, project = painted.page, painted.project
    painted.go(2)
    painted.press("i")
    painted.go(5)
    painted.press("o")
    page.locator("#plan-says", has_text="Frames 2 to 5").wait_for()
    strip = page.locator("#strip").bounding_box()
    page.mouse.move(*middle(page, "#range-last"))
    page.mouse.down()
    page.mouse.move(strip["x"] + 0.75 * strip["width"], strip["y"] + 10, steps=3)
    page.mouse.up()
    painted.until(lambda: project.file.range.last == 7)
    page.locator("#range-first").focus()
    painted.press("ArrowRight")
    painted.until(lambda: project.file.range.first == 3)
    page.reload()
    painted.frame(3)
    page.locator("#plan-says", has_text="Frames 3 to 7").wait_for()
    assert page.locator("#range-first").get_attribute("aria-valuenow") == "3"
    painted.press("t")
    painted.tracked()
    assert project.masks.tracked == frozenset(range(3, 8))
    assert page.locator("#canvas").get_attribute("data-frame") == "3", "the view stays"
    page.locator("#plan-reset").click()
    page.locator("#range").wait_for(state="hidden")
    painted.until(lambda: (project.file.range.first, project.file.range.last) == (None, None))


def test_only_the_chosen_object_from_here_on(tracked, square):
    page, project = tracked.page, tracked.project
    tracked.press("m", "2")
    page.locator("#objects li.active", has_text="object 2").wait_for()
    tracked.brush(4)
    tracked.drag((30, 5), (34, 5))
    tracked.go(4)
    page.locator("#plan-open").click()
    page.get_by_label("Only the chosen object, object 2").check()
    page.get_by_label("From here on, frame 4").check()
    tracked.press("Escape")
    page.locator("#plan").wait_for(state="hidden")
    page.locator("#plan-says", has_text="Only object 2, from here on").wait_for()
    tracked.press("t")
    page.locator(".toast", has_text="Tracked 6 frames").wait_for()
    for index in range(1, 10):
        ids = project.masks.read(index).ids
        assert np.array_equal(ids == 1, square == 1), index
    assert {index for index in range(1, 10) if (project.masks.read(index).ids == 2).any()} <= set(range(4, 10))


def test_it_stops_in_doubt_asks_and_continues(painted, monkeypatch):
    page, project = painted.page, painted.project
    check = tracking._Run._check
    low = {index: {1: 0.2 if index >= 4 else 0.9} for index in range(10)}
    monkeypatch.setattr(tracking._Run, "_check", lambda self, p: check(self, replace(p, reliability=low[p.index])))
    page.locator("#plan-open").click()
    page.get_by_label("Stop and ask when masks are doubtful").check()
    page.get_by_label("Frames in a row").fill("2")
    painted.press("Enter", "Escape", "t")
    page.locator("#asked", has_text="object 1 is doubtful from frame 4 on (20 %)").wait_for()
    painted.frame(4)
    assert project.masks.tracked == frozenset(range(6))
    page.get_by_role("button", name="Continue").click()
    page.locator(".toast", has_text="Tracked 4 frames").wait_for()
    assert project.masks.tracked == frozenset(range(10))
    assert page.locator("#asked").is_hidden()


def test_gone_here_then_to_the_end_then_painted_again(tracked, square):
    page, project = tracked.page, tracked.project
    tracked.go(5)
    tracked.press("g")
    page.locator("#asked", has_text="object 1 is gone in frame 5.").wait_for()
    assert not project.mask(5).ids.any()
    assert np.array_equal(project.mask(6).ids, square)
    page.get_by_role("button", name="From here to the end").click()
    tracked.until(lambda: not project.mask(9).ids.any())
    tracked.until(lambda: page.locator("#review button").count() == 1)  # frame 6 is no matter of doubt any more
    tracked.go(8)
    tracked.brush(6)
    tracked.drag((30, 10), (34, 10))
    tracked.until(lambda: project.mask(8).ids[10, 32] == 1)
    assert [(each.first, each.last) for each in project.file.absences] == [(5, 7), (9, 9)]
    tracked.go(6)
    tracked.press("g")
    tracked.until(lambda: np.array_equal(project.mask(6).ids, square))


def test_n_goes_to_the_worst_first_even_where_one_stands_and_back(tracked):
    tracked.go(6)
    tracked.press("n")
    tracked.page.wait_for_timeout(100)
    tracked.frame(6)
    tracked.press("n")
    tracked.frame(3)
    tracked.press("Shift+N")
    tracked.frame(6)
    tracked.press("n")
    tracked.frame(3)
    tracked.press("n")  # all were seen: from the beginning
    tracked.frame(6)


def test_progress_says_when_the_server_is_gone_and_stops_claiming(painted, server, go_on):
    page = painted.page
    painted.press("t")
    page.locator("#job-figures", has_text="of 10").wait_for()
    ending = threading.Thread(target=server.stop)
    ending.start()
    page.locator("#job-note", has_text="does not answer").wait_for()
    assert page.locator("#job-figures").inner_text() == ""
    assert page.locator("#job-bar").bounding_box()["width"] < 2
    go_on.set()
    ending.join()


def test_the_canvas_stays_where_it_is_when_objects_are_added(editor):
    page, project = editor.page, editor.project
    before = page.locator("#canvas").bounding_box()
    assert page.evaluate("innerHeight") == 720
    for count in range(1, 13):
        project.change(lambda file, k=count: file.objects.append(ObjectInfo(id=k, name=f"object {k}")))
        editor.until(lambda count=count: page.locator("#row-names span").count() == count)
        assert page.locator("#canvas").bounding_box() == before, count


def test_after_a_frame_number_and_enter_keys_are_shortcuts_again(editor):
    editor.page.locator("#frame").fill("4")
    editor.press("Enter")
    editor.frame(4)
    editor.press("ArrowRight")
    editor.frame(5)


def test_the_legend_explains_the_signs_that_are_on_the_strip(tracked):
    legend = tracked.page.locator("#legend")
    legend.get_by_text("to review").wait_for()
    for words in ("good", "weak", "by hand", "tracked"):
        legend.get_by_text(words, exact=True).wait_for()
    assert not legend.get_by_text("gone").count()
    tracked.go(5)
    tracked.press("g")
    legend.get_by_text("gone").wait_for()
    tracked.press("a")
    legend.get_by_text("accepted").wait_for()


@pytest.mark.parametrize("size", [(1280, 720), (853, 480)])
def test_the_button_legend_explains_every_sign_in_any_window(tracked, size):
    page = tracked.page
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.get_by_role("button", name="Legend").click()
    signs = page.get_by_role("dialog", name="What the strip shows")
    for words in ("worth checking", "cannot be read", "accepted", "painted", "below 50 %", "away from the rest", "G)"):
        signs.get_by_text(words).first.wait_for()
    place = signs.bounding_box()
    assert place["y"] >= 0
    tracked.press("Escape")
    signs.wait_for(state="hidden")
