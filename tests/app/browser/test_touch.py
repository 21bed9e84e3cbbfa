"""Fingers and pens, through Chromium's own emulation; and small windows, in which nothing overlaps or is cut."""

from __future__ import annotations

import numpy as np
import pytest

_PEN = """(canvas, [path, pressure, kind]) => {
    canvas.setPointerCapture = () => {};
    const send = (type, [x, y], id, pointerType, force) => canvas.dispatchEvent(new PointerEvent(type, {
        clientX: x, clientY: y, button: type === 'pointermove' ? -1 : 0, buttons: 1, pointerId: id, pointerType,
        pressure: force, bubbles: true }));
    for (const [k, point] of path.entries()) {
        send(k ? 'pointermove' : 'pointerdown', point, 7, kind, pressure);
    }
    send('pointerup', path.at(-1), 7, kind, 0);
}"""
_CONTROLS = """() => [...document.querySelectorAll(
        '.topbar > *, .tools > button, .stage-bar > *, .transport > *, .tabs > button, .track button')]
    .filter((e) => e.checkVisibility() && !e.classList.contains('grow'))
    .map((e) => ({ name: e.id || e.textContent, box: e.getBoundingClientRect().toJSON() }))"""


@pytest.fixture
def tablet(server, clip, chromium):
    """The clip in a tablet that has no mouse: (page, send touches, project)."""
    project = server.guard.services.workspace.create(clip)
    context = chromium.new_context(viewport={"width": 1024, "height": 768}, has_touch=True, reduced_motion="reduce")
    page = context.new_page()
    page.goto(f"{server.address}/?project={project.id}")
    page.locator("#canvas[data-frame='0']").wait_for()
    session = context.new_cdp_session(page)

    def send(kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": k} for k, (x, y) in enumerate(points)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        page.wait_for_timeout(40)

    yield page, send, project
    context.close()


def test_one_finger_paints_and_two_zoom_and_take_the_stroke_back(tablet):
    page, send, project = tablet
    box = page.locator("#canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    send("touchStart", (x - 60, y))
    send("touchMove", (x - 40, y))
    send("touchEnd")
    page.locator("#status", has_text="Painted").wait_for()
    page.locator("#saved", has_text="All saved").wait_for()
    painted = project.mask(0).ids.copy()
    assert painted.any()

    zoom = page.locator("#zoom")
    before = int(zoom.text_content().split()[0])
    send("touchStart", (x - 50, y + 60))
    send("touchMove", (x - 50, y + 80))  # a stroke has begun
    send("touchStart", (x - 50, y + 80), (x + 50, y + 80))
    send("touchMove", (x - 100, y + 80), (x + 100, y + 80))
    send("touchEnd", (x - 100, y + 80))
    send("touchMove", (x - 100, y + 20))  # the finger that is left does not paint
    send("touchEnd")
    assert 1.8 * before < int(zoom.text_content().split()[0]) < 2.2 * before
    page.locator("#saved", has_text="All saved").wait_for()
    assert np.array_equal(project.mask(0).ids, painted)
    send("touchStart", (x, y + 60))
    send("touchEnd")
    page.wait_for_timeout(100)
    page.locator("#saved", has_text="All saved").wait_for()
    assert not np.array_equal(project.mask(0).ids, painted)  # and then one finger paints again


def test_a_palm_beside_a_pen_does_not_paint_and_pressure_is_a_size_if_wanted(editor):
    page, canvas, project = editor.page, editor.page.locator("#canvas"), editor.project
    editor.brush(12)

    def draw(column: float, pressure: float, kind: str = "pen") -> int:
        """How many pixels a dot of the pointer adds."""
        before = np.count_nonzero(project.mask(0).ids)
        canvas.evaluate(_PEN, [[list(editor.at(column, 12)), list(editor.at(column, 12.2))], pressure, kind])
        page.wait_for_timeout(60)
        editor.saved()
        return np.count_nonzero(project.mask(0).ids) - before

    assert draw(8, 0.25) > 100  # pressure is not asked for
    assert draw(32, 1, "touch") == 0  # the palm
    page.wait_for_timeout(1000)
    assert draw(32, 1, "touch") > 100
    page.get_by_role("button", name="Preferences").click()
    page.get_by_label("A pen's pressure").check()
    editor.press("Escape")
    assert 4 <= draw(20, 0.25) <= 14  # a quarter of the diameter


@pytest.mark.parametrize("size", [(853, 480), (1024, 768)])
def test_nothing_overlaps_or_is_cut_in_a_small_window(editor, square, size):
    page, project = editor.page, editor.project
    project.paint(0, square, project.mask(0).tag)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.wait_for_timeout(200)
    found = page.evaluate(_CONTROLS)
    assert len(found) > 25
    for each in found:
        box = each["box"]
        assert box["left"] >= 0, each
        assert box["right"] <= size[0], each
        assert box["bottom"] <= size[1], each
    for k, one in enumerate(found):
        for other in found[k + 1 :]:
            a, b = one["box"], other["box"]
            across = min(a["right"], b["right"]) - max(a["left"], b["left"])
            down = min(a["bottom"], b["bottom"]) - max(a["top"], b["top"])
            assert across <= 1 or down <= 1, (one, other)
    assert page.locator("#canvas").bounding_box()["height"] > 0.35 * size[1]


def test_the_brush_grows_to_a_third_of_the_canvas(editor):
    page, size = editor.page, editor.page.locator("#size")
    editor.press("-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-", "-")
    editor.until(lambda: int(size.get_attribute("max")) > 200)
    editor.press(*["]"] * 30)
    diameter = int(page.locator("#size-value").inner_text())
    assert diameter == int(size.get_attribute("max"))
    box = page.locator("#canvas").bounding_box()
    scale = int(page.locator("#zoom").inner_text().split()[0]) / 100
    assert abs(diameter * scale - min(box["width"], box["height"]) / 3) < 0.1 * box["height"]
