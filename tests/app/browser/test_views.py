"""What the views show of a mask, zooming to an object, and masks that are copied and nudged by keys."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

_BLACK, _WHITE, _BLUE, _ORANGE = (0, 0, 0), (254, 254, 254), (46, 154, 254), (254, 140, 26)

_LOADED = "async (index) => (await import('/js/painting/masks.js')).peek(index)?.tag"


@pytest.fixture
def put(editor):
    """Give a frame a mask, as another page would."""

    def paint(index: int, ids: np.ndarray) -> None:
        project = editor.project
        project.paint(index, ids, project.mask(index).tag)
        editor.page.locator("#objects .pick").first.wait_for()
        tag = project.mask(index).tag
        editor.until(lambda: editor.page.evaluate(_LOADED, index) in (None, tag))  # the page has no older mask

    return paint


@pytest.fixture
def seen(editor):
    """The colour of a pixel of the frame as it is on the screen."""

    def colour(column: int, row: int) -> tuple[int, ...]:
        shot = Image.open(io.BytesIO(editor.page.screenshot())).convert("RGB")
        red, green, blue = shot.getpixel(tuple(map(round, editor.at(column + 0.5, row + 0.5))))
        return red & ~1, green & ~1, blue & ~1  # the canvas rounds where it scales

    return colour


@pytest.fixture
def shows(editor, seen):
    """Wait until pixels of the frame have their colours on the screen."""

    def wait(colours: dict[tuple[int, int], tuple[int, ...]]) -> None:
        editor.until(lambda: all(_near(seen(*at), wanted) for at, wanted in colours.items()))

    return wait


def _near(colour: tuple[int, ...], other: tuple[int, ...], by: int = 12) -> bool:
    return bool(np.abs(np.subtract(colour, other, dtype=int)).max() <= by)


def test_every_view_shows_its_own_of_a_mask(editor, put, seen, shows, square, images):
    editor.project.change(lambda file: file.palette.__setitem__(1, "#2040ff"))
    put(0, square)
    put(1, np.roll(square, 2, axis=1))
    editor.go(1)
    view = editor.page.locator("#view")
    inside, outside, border = (9, 10), (30, 20), (5, 10)
    picture = [tuple(images[1][row, column]) for column, row in (inside, outside)]

    shows({outside: picture[1]})
    editor.until(lambda: not _near(seen(*inside), picture[0]))
    editor.press("v")  # outlines
    assert view.input_value() == "outlines"
    shows({inside: picture[0], border: (0x20, 0x40, 0xFF)})
    view.select_option("cutout")
    shows({inside: picture[0]})
    editor.until(lambda: max(seen(*outside)) < 80)
    view.select_option("matte")
    shows({inside: _WHITE, outside: _BLACK})
    view.select_option("difference")
    shows({(13, 10): _BLUE, (3, 10): _ORANGE, inside: picture[0]})  # come and gone since frame 0
    view.select_option("onion")
    shows({(3, 10): _BLUE})  # the outline of frame 0
    editor.press("v")
    assert view.input_value() == "filled"


def test_the_view_stays_over_frames_and_reloads_and_painting_goes_on_in_it(editor, put, shows, square):
    put(0, square)
    editor.page.locator("#view").select_option("matte")
    editor.go(1)
    shows({(9, 10): _BLACK})
    editor.page.reload()
    editor.frame(1)
    assert editor.page.locator("#view").input_value() == "matte"
    editor.go(0)
    shows({(9, 10): _WHITE})
    editor.brush(4)
    editor.drag((30, 5), (34, 5))
    assert editor.project.mask(0).ids[5, 32] == 1
    shows({(32, 5): _WHITE})


def test_other_objects_are_dimmed(editor, put, seen, shows, images, square):
    ids = square.copy()
    ids[6:16, 25:35] = 2
    put(0, ids)
    editor.page.locator("#objects .pick").nth(1).wait_for()
    editor.until(lambda: not _near(seen(30, 10), images[0][10, 30]))
    filled = seen(30, 10)
    editor.page.locator("#view").select_option("dimmed")
    editor.press("2")
    shows({(30, 10): filled})
    editor.press("1")
    editor.until(lambda: not _near(seen(30, 10), filled))


def test_z_zooms_to_the_chosen_object_and_back(editor, put, square):
    put(0, square)
    zoom = editor.page.locator("#zoom")
    whole = zoom.inner_text()
    editor.press("z")
    editor.until(lambda: int(zoom.inner_text().split()[0]) > 1.3 * int(whole.split()[0]))
    editor.press("z")
    editor.until(lambda: zoom.inner_text() == whole)
    editor.go(5)
    editor.press("z")
    editor.page.locator(".toast", has_text="no mask in this frame").wait_for()


def test_the_mask_before_its_correction_shows_while_the_key_is_held(editor, shows, square):
    project = editor.project
    uncorrected = np.roll(square, 20, axis=1)
    project.track_frame(0, square, project.results[0], uncorrected)
    page = editor.page
    page.locator("#before").wait_for()
    page.locator("#view").select_option("matte")
    shows({(30, 10): _BLACK, (9, 10): _WHITE})
    page.keyboard.down("w")
    shows({(30, 10): _WHITE, (9, 10): _BLACK})
    page.keyboard.up("w")
    shows({(30, 10): _BLACK, (9, 10): _WHITE})
    page.locator("#view").select_option("correction")
    shows({(9, 10): _BLUE, (30, 10): _ORANGE})


def test_a_mask_is_copied_from_the_frame_before_or_after_as_one_stroke(editor, put, square):
    other = np.zeros_like(square)
    other[2:6, 30:38] = 2
    put(0, square + other)
    put(2, np.roll(square, 7, axis=1))
    editor.go(1)
    project = editor.project

    def becomes(ids: np.ndarray) -> None:
        editor.until(lambda: np.array_equal(project.mask(1).ids, ids))
        editor.saved()

    editor.press("Control+d")
    becomes(square)
    assert project.steps.history.next_undo.title == "Copy object 1 from frame 0"
    editor.press("Control+Shift+D")
    becomes(np.roll(square, 7, axis=1))
    editor.press("Control+Alt+d")
    becomes(square + other)
    assert project.steps.history.next_undo.title == "Copy all masks from frame 0"
    editor.press("Control+z")
    becomes(np.roll(square, 7, axis=1))
    editor.press("Control+z", "Control+z")
    becomes(np.zeros_like(square))
    editor.go(0)
    editor.press("Control+d")
    editor.page.locator(".toast", has_text="first frame").wait_for()


def test_nudges_in_a_burst_are_one_step_and_bring_back_what_they_covered(editor, put, square):
    ids = square.copy()
    ids[6:16, 15:18] = 2
    put(0, ids)
    project, page = editor.project, editor.page

    def becomes(ids: np.ndarray) -> None:
        editor.until(lambda: np.array_equal(project.mask(0).ids, ids))

    page.keyboard.down("Control")
    editor.press("ArrowRight", "ArrowRight", "ArrowRight", "ArrowDown")
    page.keyboard.up("Control")
    moved = ids.copy()
    moved[square == 1] = 0
    moved[7:17, 6:16] = 1  # over the first column of the other object
    becomes(moved)
    editor.saved()
    assert project.steps.history.next_undo.title == "Move object 1"
    editor.press("Control+Shift+ArrowLeft")
    cut = np.zeros_like(ids)
    cut[6:16, 15:18] = 2
    cut[7:16, 15] = 0  # taken for good by the first burst
    cut[7:17, 0:6] = 1
    becomes(cut)
    editor.saved()
    editor.press("Control+z")
    becomes(moved)
    editor.press("Control+z")
    becomes(ids)
