"""Tools against masks worked out independently: what is painted is what the server holds, to the pixel."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from cyclevos.app.projects.mask_pngs import Mark


@pytest.fixture
def mask(editor):
    """What the server holds of a frame."""

    def read(index: int = 0) -> np.ndarray:
        editor.saved()
        return editor.project.mask(index).ids  # behind the lock

    return read


def test_the_brush_marks_the_pixels_within_its_radius_and_undo_takes_them_back(editor, mask, near_line):
    editor.brush(7)
    editor.drag((8.3, 6.2), (21.7, 14.9))
    first = near_line((8.3, 6.2), (21.7, 14.9), 3.5)
    shown = mask()
    assert np.count_nonzero((shown == 1) != first) <= 3  # the pointer is on whole pixels of the screen
    editor.drag((30, 4), (30, 20))
    both = mask().copy()
    assert (both == 1).sum() > (shown == 1).sum()
    editor.press("Control+z")
    assert np.array_equal(mask(), shown)
    editor.press("Control+Shift+Z")
    assert np.array_equal(mask(), both)
    editor.press("Control+z", "Control+z")
    assert not mask().any()
    editor.page.locator("#status", has_text="No mask").wait_for()  # nor does the frame count as marked
    assert not editor.project.masks.marks


def test_the_canvas_stays_where_it_is_under_the_first_stroke(editor):
    canvas, mouse = editor.page.locator("#canvas"), editor.page.mouse
    before = canvas.bounding_box()
    mouse.move(*editor.at(8, 6))
    mouse.down()
    editor.page.locator("#objects .pick").wait_for()
    mouse.up()
    editor.saved()
    assert canvas.bounding_box() == before


def test_the_eraser_and_the_right_button_erase_but_never_a_locked_object(editor, mask):
    editor.brush(5)
    editor.drag((4, 5), (36, 5))
    editor.press("m")
    editor.page.locator("#objects li.active", has_text="object 2").wait_for()
    editor.drag((4, 15), (36, 15))
    editor.page.get_by_role("button", name="Lock object 1").click()
    editor.page.get_by_role("button", name="Unlock object 1").wait_for()
    before = mask().copy()
    editor.press("e")
    editor.drag((20, 2), (20, 20))
    erased = mask()
    assert np.array_equal(erased == 1, before == 1)
    assert not erased[15, 20]
    assert (erased == 2).any()
    editor.press("b")
    editor.drag((10, 12), (10, 18), button="right")
    assert not mask()[15, 10]


def test_a_polygon_marks_the_pixels_whose_centre_is_inside(editor, mask):
    editor.press("p")
    editor.click((5.02, 4.02), (25.02, 4.02), (25.02, 18.02))
    editor.press("Enter")
    rows, columns = np.mgrid[0:24, 0:40] + 0.5
    inside = (rows > 4) & (columns < 25) & ((columns - 5) / 20 > (rows - 4) / 14)
    assert np.count_nonzero((mask() == 1) != inside) <= 2
    editor.click((30, 4), (35, 4), (35, 9))
    editor.press("Escape")
    assert not mask()[:, 28:].any()


def test_fill_closes_a_hole(editor, mask):
    editor.brush(2)
    editor.drag((5, 5), (25, 5), (25, 18), (5, 18), (5, 5))
    editor.press("f")
    editor.click((15, 11))
    filled = mask()
    assert (filled[6:17, 6:24] == 1).all()
    assert not filled[:, 30:].any()
    assert not filled[:3].any()


def test_painting_goes_on_while_zoomed_and_moved(editor, mask):
    x, y = editor.at(20, 12)
    editor.page.mouse.move(x, y)
    for _ in range(4):
        editor.page.mouse.wheel(0, -150)  # about the pointer: what is under it stays there
    editor.until(lambda: int(editor.page.locator("#zoom").inner_text().split()[0]) > 2200)
    editor.brush(1)
    editor.page.mouse.click(x, y)
    one = mask()
    assert one[12, 20] or one[11, 19] or one[11, 20] or one[12, 19]
    assert 1 <= (one == 1).sum() <= 4
    editor.press("d")
    editor.page.mouse.move(x, y)
    editor.page.mouse.down()
    editor.page.mouse.move(x + 100, y + 60)
    editor.page.mouse.up()
    editor.press("b")
    editor.page.mouse.click(x + 100, y + 60)
    assert np.array_equal(mask(), one)  # the same pixel was under the pointer again


def test_a_png_is_imported_and_one_of_another_size_asks(editor, mask, square):
    def png(ids: np.ndarray) -> dict[str, object]:
        data = io.BytesIO()
        Image.fromarray(ids).save(data, format="PNG")
        return {"name": "mask.png", "mimeType": "image/png", "buffer": data.getvalue()}

    chooser = editor.page.locator("#import")
    chooser.set_input_files(png(3 * square))
    editor.page.locator("#objects", has_text="object 3").wait_for()
    assert np.array_equal(mask(), 3 * square)
    editor.press("ArrowRight")
    editor.frame(1)
    chooser.set_input_files(png(np.kron(square, np.ones((2, 2), np.uint8))))
    editor.page.get_by_role("button", name="Resize it").click()
    editor.page.locator("#status", has_text="Painted").wait_for()
    assert np.array_equal(mask(1), square)


def test_objects_are_renamed_recoloured_hidden_and_deleted(editor, mask):
    editor.brush(9)
    editor.drag((10, 10), (14, 10))
    page = editor.page
    page.locator("#objects .pick").dblclick()
    page.keyboard.type("the car")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Hide the car").click()
    page.get_by_role("button", name="Show the car").wait_for()
    page.get_by_label("Colour of the car").fill("#00ff00")
    page.locator("#objects input[type=color][value='#00ff00']").wait_for()
    assert editor.project.file.objects[0].name == "the car"
    assert editor.project.file.objects[0].hidden
    assert editor.project.file.palette[1] == "#00ff00"
    page.get_by_role("button", name="Delete the car").click()
    page.locator("#dialog").get_by_role("button", name="Delete").click()
    page.locator("#objects .empty-note").wait_for()
    assert not mask().any()


def test_an_accepted_frame_is_not_painted_on_until_it_is_opened(editor, mask):
    editor.brush(5)
    editor.drag((10, 10), (14, 10))
    before = mask().copy()
    editor.press("a")
    editor.page.locator("#status", has_text="Accepted").wait_for()
    editor.drag((30, 10), (34, 10))
    editor.page.locator(".toast", has_text="accepted").wait_for()
    assert np.array_equal(mask(), before)
    editor.press("a")
    editor.page.locator("#status", has_text="Painted").wait_for()
    editor.drag((30, 10), (34, 10))
    assert mask()[10, 32] == 1
    assert editor.project.masks.marks[0] == Mark(frozenset({1}))


def test_all_of_painting_can_be_done_by_keys(editor, mask):
    editor.brush(6)
    editor.page.locator("#canvas").focus()
    editor.press("Alt+ArrowLeft", "Alt+ArrowUp", "Enter")
    stamped = mask().copy()
    assert 20 <= (stamped == 1).sum() <= 40
    editor.press("e", "Enter")
    editor.until(lambda: not mask().any())


def test_an_empty_memory_field_means_auto(editor):
    page, settings = editor.page, lambda: editor.project.file.settings
    page.locator("#settings-open").click()
    every, most = page.get_by_label("Memory interval"), page.get_by_label("Frames in memory")
    assert [field.get_attribute("placeholder") for field in (every, most)] == ["auto", "auto"]
    assert [field.input_value() for field in (every, most)] == ["", ""]
    every.fill("3")
    every.press("Enter")
    editor.until(lambda: (settings().memory_every, settings().max_memory_frames) == (3, "auto"))
    page.reload()
    editor.until(lambda: every.input_value() == "3" and most.input_value() == "")
    page.locator("#settings-open").click()
    every.fill("")
    every.press("Enter")
    editor.until(lambda: settings().memory_every == "auto")
