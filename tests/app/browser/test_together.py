"""Pages that share a project, a server that goes away, the token, and what correction and the cycle show."""

from __future__ import annotations

import numpy as np
import pytest

from cyclevos.app.projects.absent_objects import set_gone
from cyclevos.app.projects.result_log import FrameResult


def test_two_tabs_show_the_same_and_neither_overwrites_the_other(server, editor, new_page):
    other = new_page()
    other.page.goto(f"{server.address}/?project={editor.project.id}")
    other.frame(0)
    editor.brush(6)
    editor.drag((5, 5), (12, 5))
    other.page.locator("#status", has_text="Painted").wait_for()
    other.page.locator("#objects .pick").wait_for()  # or the other tab would paint an object of its own
    other.brush(6)
    other.drag((25, 15), (32, 15))
    ids = editor.project.masks.read(0).ids
    assert ids[5, 8] == 1
    assert ids[15, 28] == 1
    # Two strokes at the same time: the one that is still drawn ends whole, on top of the other, and its page says so.
    mouse = editor.page.mouse
    mouse.move(*editor.at(5, 20))
    mouse.down()
    other.drag((35, 3), (37, 3))
    other.saved()
    mouse.move(*editor.at(10, 20))
    mouse.up()
    editor.page.locator(".toast", has_text="changed elsewhere").first.wait_for()
    editor.saved()
    ids = editor.project.masks.read(0).ids
    assert ids[3, 36] == 1
    assert ids[20, 8] == 1
    points = (36, 3), (8, 20)
    editor.until(lambda: [pixel(editor, *each) for each in points] == [pixel(other, *each) for each in points])
    assert editor.page.locator(".toast").count() == 1
    assert not other.page.locator(".toast").count()
    editor.press("Control+z")  # the stroke alone
    editor.until(lambda: editor.project.mask(0).ids[20, 8] == 0)
    assert editor.project.mask(0).ids[3, 36] == 1


def test_what_changes_before_the_page_listens_is_not_missed(server, clip, new_page, square):
    project = server.guard.services.workspace.create(clip)
    person, held = new_page(), []
    person.page.route("**/events", lambda route: held.append(route))
    person.page.goto(f"{server.address}/?project={project.id}")
    person.frame(0)
    person.until(lambda: len(held) == 1)
    project.paint(0, square, project.mask(0).tag)
    held[0].continue_()
    person.page.locator("#objects .pick").wait_for()
    person.page.locator("#status", has_text="Painted").wait_for()


def test_a_stroke_made_while_all_masks_are_fetched_anew_is_kept(editor, square):
    project = editor.project
    project.paint(0, square, project.mask(0).tag)
    editor.page.locator("#objects .pick").wait_for()
    editor.brush(6)
    bare = pixel(editor, 31, 20)
    held = editor.hold("/masks/0")
    set_gone(project, 1, 3, 5, gone=True)  # the masks of some frames are others now, and the page fetches all anew
    editor.until(lambda: len(held) == 1)
    mouse = editor.page.mouse
    mouse.move(*editor.at(30, 20))
    mouse.down()
    mouse.move(*editor.at(33, 20))
    route, answer = held.pop()
    route.fulfill(response=answer)
    editor.page.unroute("**/masks/0")
    editor.page.wait_for_timeout(200)
    mouse.move(*editor.at(36, 20))
    mouse.up()
    editor.saved()
    editor.until(lambda: project.mask(0).ids[20, 31] == project.mask(0).ids[20, 35] == 1)
    assert pixel(editor, 31, 20) != bare


def test_news_that_is_overtaken_takes_nothing_back(editor, monkeypatch):
    project, late = editor.project, []
    publish = project.hub.publish

    def keep(kind, data) -> None:
        late.append((kind, data() if callable(data) else data))

    monkeypatch.setattr(project.hub, "publish", keep)
    editor.brush(5)
    editor.drag((10, 10), (14, 10))
    editor.press("a")
    editor.page.locator("#status", has_text="Accepted").wait_for()
    [first] = [data for kind, data in late if kind == "mask" and data["status"] == "marked"]
    publish("mask", first)
    publish("reading", {"done": 7, "total": 10})
    editor.page.locator("#reading", has_text="7 of 10").wait_for()  # what came before is heard too
    assert editor.page.locator("#status", has_text="Accepted").count()
    assert editor.page.get_by_role("button", name="Undo").is_enabled()
    before = project.masks.read(0).ids.copy()
    editor.drag((30, 10), (34, 10))
    editor.page.locator(".toast", has_text="accepted").wait_for()
    assert np.array_equal(project.masks.read(0).ids, before)


def test_a_state_that_comes_late_takes_nothing_back(editor):
    held = editor.hold(f"/api/projects/{editor.project.id}")
    editor.brush(5)
    editor.drag((10, 10), (14, 10))  # the first object: the page asks for the list
    editor.until(lambda: len(held) == 1)
    editor.press("a")
    editor.page.locator("#status", has_text="Accepted").wait_for()
    [(route, told)] = held
    assert not told.json()["marks"].get("0", {}).get("accepted")  # it may be older than the stroke, too
    route.fulfill(response=told)
    editor.page.locator("#objects .pick").wait_for()
    editor.page.get_by_role("button", name="Presence").click()
    assert editor.page.locator("#status", has_text="Accepted").count()
    editor.drag((30, 10), (34, 10))
    editor.page.locator(".toast", has_text="accepted").wait_for()
    assert editor.project.masks.read(0).ids[10, 32] == 0


@pytest.mark.parametrize("late", ["/track", ""], ids=["answer", "state"])
def test_what_comes_late_hides_no_job(editor, go_on, late):
    held = editor.hold(f"/api/projects/{editor.project.id}{late}")
    editor.brush(5)
    editor.drag((10, 10), (14, 10))  # the first object: the page asks for the project's state
    if late == "":
        editor.until(lambda: len(held) == 1)
    editor.press("t")
    editor.until(lambda: 4 in editor.project.masks.tracked)
    editor.until(lambda: len(held) == 1)
    figures = editor.page.locator("#job-figures", has_text="of 10")
    figures.wait_for()
    [(route, told)] = held
    route.fulfill(response=told)
    editor.page.wait_for_timeout(300)
    assert figures.is_visible()
    go_on.set()
    editor.page.locator("#job").wait_for(state="hidden")


def test_a_server_that_goes_away_loses_no_stroke(server, editor):
    server.stop()
    editor.page.locator("#saved", has_text="does not answer").wait_for()
    editor.brush(6)
    editor.page.mouse.move(*editor.at(5, 5))
    editor.page.mouse.down()
    editor.page.mouse.move(*editor.at(12, 5))
    editor.page.mouse.up()
    server.start()
    editor.page.locator("#saved", has_text="All saved").wait_for()
    assert server.project(editor.project.id).masks.read(0).ids[5, 8] == 1


def test_the_token_of_the_address_lets_in_and_vanishes_from_it(secret_server, new_page):
    stranger = new_page()
    stranger.page.goto(secret_server.address)
    stranger.page.locator(".toast", has_text="token").wait_for()
    friend = new_page()
    friend.page.goto(f"{secret_server.address}/#token={secret_server.options.token}")
    friend.page.get_by_role("button", name="Car shadow").wait_for()
    assert "token" not in friend.page.url


def test_before_and_after_a_correction_and_the_rows_of_quality_and_presence(editor):
    project, page = editor.project, editor.page
    before, after = np.zeros((2, 24, 40), np.uint8)
    before[4:10, 4:10] = 1
    after[12:20, 20:30] = 1
    editor.brush(5)
    editor.drag((5, 5), (8, 5))
    project.track_frame(3, after, FrameResult({1: 0.3}), before)
    editor.until(lambda: strip_colour(page, 3) == "#d64541")  # poor
    editor.go(3)
    corrected = pixel(editor, 25, 16), pixel(editor, 6, 6)
    page.get_by_role("button", name="Before").click()
    page.locator("#badge", has_text="Before correction").wait_for()
    editor.until(lambda: pixel(editor, 25, 16) != corrected[0] and pixel(editor, 6, 6) != corrected[1])
    page.get_by_role("button", name="Before").click()
    page.locator("#badge").wait_for(state="hidden")
    editor.until(lambda: (pixel(editor, 25, 16), pixel(editor, 6, 6)) == corrected)
    page.get_by_role("button", name="Presence").click()
    editor.until(lambda: strip_colour(page, 3) == project.file.palette[1])
    assert strip_colour(page, 5) != project.file.palette[1]


def test_the_legend_and_the_review_list_say_that_reliability_is_uncalibrated(editor):
    project, page = editor.project, editor.page
    mask = np.zeros((24, 40), np.uint8)
    mask[4:10, 4:10] = 1
    editor.brush(5)
    editor.drag((5, 5), (8, 5))
    project.track_frame(3, mask, FrameResult({1: 0.3}), None)
    editor.until(lambda: strip_colour(page, 3) == "#d64541")
    assert page.locator("#legend", has_text="uncalibrated").count() == 0
    project.track_frame(4, mask, FrameResult({1: 0.4}, calibrated=False), None)
    page.locator("#legend", has_text="uncalibrated").wait_for()
    page.get_by_role("button", name="Presence").click()
    editor.until(lambda: page.locator("#legend", has_text="uncalibrated").count() == 0)
    page.get_by_role("button", name="Quality").click()
    page.locator("#legend", has_text="uncalibrated").wait_for()
    project.track_frame(3, mask, FrameResult({1: 0.9}), None)
    page.reload()
    page.locator("#review button[title='Reliability (predicted J, uncalibrated): 40 %']").wait_for()
    page.locator("#legend", has_text="uncalibrated").wait_for()


def test_the_heat_map_is_drawn_on_demand(editor):
    editor.brush(8)
    editor.drag((6, 10), (10, 10))
    editor.go(2)
    plain = pixel(editor, 30, 20), pixel(editor, 10, 10)
    editor.press("u")
    editor.page.locator("#badge", has_text="asked from frame 0").wait_for()
    editor.until(lambda: (pixel(editor, 30, 20), pixel(editor, 10, 10)) != plain)
    editor.press("u")
    editor.page.locator("#badge").wait_for(state="hidden")
    editor.until(lambda: (pixel(editor, 30, 20), pixel(editor, 10, 10)) == plain)


def pixel(person, x: float, y: float) -> list[int]:
    """The canvas's colour at a point of the frame."""
    box = person.page.locator("#canvas").bounding_box()
    left, top = person.at(x, y)
    script = "(c, [x, y]) => [...c.getContext('2d').getImageData(x, y, 1, 1).data]"
    return person.page.locator("#canvas").evaluate(script, [left - box["x"], top - box["y"]])


def strip_colour(page, index: int) -> str:
    """The colour of the first object's row at a frame."""
    script = """(c, index) => {
        const d = c.getContext('2d').getImageData((index + 0.5) * c.width / 10, c.height - 4, 1, 1).data;
        return '#' + [...d].slice(0, 3).map((v) => v.toString(16).padStart(2, '0')).join('');
    }"""
    return page.locator("#strip-canvas").evaluate(script, index)
