"""Frames that cannot be read, as a person meets them: words in their place, hatched on the strip, passed over."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

_COLOURS = """() => {
    const canvas = document.getElementById('canvas');
    const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    return new Set(new Uint32Array(data.buffer)).size;
}"""
_AS_OF_A_VIDEO = """async () => {
    const { emit, store } = await import('/js/page/store.js');
    store.project.pictures = false;
    emit('refreshed');
}"""
_WATCH = """(words) => {
    window.seen = new Set();
    const note = () => words.hidden || seen.add(words.textContent);
    new MutationObserver(note).observe(words, { attributes: true, childList: true });
}"""
_REDNESS = """(x) => {
    const canvas = document.getElementById('strip-canvas');
    const { data } = canvas.getContext('2d').getImageData(Math.round(x * canvas.width), 0, 24, 40);
    let found = 0;
    for (let at = 0; at < data.length; at += 4) found += data[at] > 140 && data[at + 1] < 110 && data[at + 2] < 110;
    return found;
}"""


@pytest.fixture
def broken(clip):
    """The clip, with an empty file for frame 3 and a picture of another size for frame 4."""
    (clip / "shot_003.png").write_bytes(b"")
    Image.fromarray(np.zeros((12, 20, 3), np.uint8)).save(clip / "shot_004.png")
    return clip


@pytest.fixture
def person(broken, editor):
    editor.page.locator("#legend", has_text="unreadable").wait_for()
    return editor


@pytest.fixture
def editor(server, broken, new_page):
    """The broken clip, open and read."""
    project = server.guard.services.workspace.create(broken)
    person = new_page()
    person.page.goto(f"{server.address}/?project={project.id}")
    person.frame(0)
    person.project = project
    return person


def visit(person, index: int) -> None:
    person.page.locator("#frame").fill(str(index))
    person.press("Enter")
    person.page.locator("#strip").focus()


def test_words_stand_in_the_frames_place_and_painting_is_refused(person):
    page, words = person.page, person.page.locator("#absent")
    visit(person, 3)
    words.get_by_text("Frame 3 cannot be read: shot_003.png is empty.").wait_for()
    person.until(lambda: page.evaluate(_COLOURS) == 1)  # no picture at all
    assert page.locator("#status").inner_text() == "Unreadable"
    for tool in ("b", "c", "p", "f"):
        person.press(tool)
        page.mouse.click(*person.at(20, 12))
        page.locator(".toast", has_text="Paint in another frame").last.wait_for()
    person.press("ArrowRight")
    words.get_by_text("shot_004.png is 20x12, but shot_000.png is 40x24").wait_for()
    person.press("ArrowRight")
    person.frame(5)
    words.wait_for(state="hidden")
    person.press("ArrowLeft", "ArrowRight")  # back to the frame that is still held
    words.wait_for(state="hidden")
    person.until(lambda: page.evaluate(_COLOURS) > 1)
    assert not person.project.masks.marks


def test_the_strip_marks_them_and_its_tooltip_says_why(person):
    page = person.page
    assert page.locator("#reading").inner_text() == "2 frames cannot be read."
    person.until(lambda: page.evaluate(_REDNESS, 0.32) > 40)
    assert page.evaluate(_REDNESS, 0.82) == 0
    strip = page.locator("#strip").bounding_box()
    page.mouse.move(strip["x"] + 0.35 * strip["width"], strip["y"] + 10)
    page.locator("#strip[title='Frame 3 cannot be read: shot_003.png is empty']").wait_for()


def test_playing_holds_words_in_their_place_and_goes_on(person):
    page = person.page
    page.locator("#absent").evaluate(_WATCH)
    page.locator("#speed").select_option("0.25")
    person.press("Space")
    person.frame(9)
    page.get_by_role("button", name="Play", exact=True).wait_for()
    page.locator("#absent").wait_for(state="hidden")
    seen = page.evaluate("[...window.seen]")
    assert any("cannot be read" in words for words in seen), seen


def test_tracking_passes_them_over_and_says_so(person):
    page = person.page
    person.brush(6)
    person.drag((5, 8), (11, 8), (11, 13), (5, 13))
    person.press("t")
    page.locator(".toast", has_text="Tracked 8 frames. 2 frames cannot be read and were passed over.").wait_for()
    assert person.project.masks.tracked == {0, 1, 2, 5, 6, 7, 8, 9}


def test_the_words_say_what_can_be_done_and_lead_to_the_next_frame(person):
    page, words = person.page, person.page.locator("#absent")
    visit(person, 3)
    words.get_by_text("tracking passes over it").wait_for()
    words.get_by_text("Repair it: replace the picture").wait_for()
    page.evaluate(_AS_OF_A_VIDEO)
    assert words.locator("code").inner_text() == "ffmpeg -i damaged.mp4 repaired.mp4"
    assert "replace the picture" not in words.inner_text()
    assert page.locator("#hint").is_hidden()
    words.get_by_role("button", name="Go to frame 5").click()
    person.frame(5)
    words.wait_for(state="hidden")


def test_no_click_is_asked_for_where_nothing_can_be_clicked(person, square):
    person.project.paint(0, square, person.project.mask(0).tag)
    page = person.page
    page.locator("#objects .pick").wait_for()
    visit(person, 3)
    person.press("s")
    page.get_by_label("Do", exact=True).select_option("split")
    page.locator("#edits").get_by_text("Go to a frame that can be read, and click the piece there.").wait_for()
    visit(person, 5)
    page.locator("#edits").get_by_text("Click the piece on the picture.").wait_for()


def test_the_legend_names_them_only_where_there_are_some(person):
    person.page.locator("#legend", has_text="unreadable").wait_for()
    assert "island" not in person.page.locator("#legend").inner_text()


def test_an_import_tells_its_masks_from_those_that_it_could_judge(person, square, tmp_path):
    page, folder = person.page, tmp_path / "theirs"
    folder.mkdir()
    for index in range(10):
        Image.fromarray(square).save(folder / f"shot_{index:03d}.png")
    page.locator("#import-result").click()
    page.locator("#result-files").set_input_files(sorted(folder.iterdir()))
    page.locator("#dialog .primary", has_text="Import").click()
    said = "Imported the masks of 10 frames. Computed the reliability of 8 frames. 2 frames cannot be read"
    page.locator(".toast", has_text=said).wait_for()
    assert np.array_equal(person.project.mask(3).ids, square)
