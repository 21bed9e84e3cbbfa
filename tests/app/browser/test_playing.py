"""Playing at the pace of the video, in a loop and a range; and what stands in the place of a frame that is not here."""

from __future__ import annotations

import itertools
import time

import numpy as np
import pytest
from PIL import Image
from shown_frames import shown_frames, watch

from cyclevos.app.projects.frame_reader import FrameReader
from cyclevos.app.projects.result_log import FrameResult

_RANGE = "async () => { (await import('/js/page/store.js')).store.project.range = { first: 2, last: 4 }; }"


@pytest.fixture
def slow_frames(monkeypatch):
    """Every frame takes longer than it is shown."""
    read = FrameReader.jpeg

    def slowly(self, index, width=None):
        time.sleep(0.8)
        return read(self, index, width)

    monkeypatch.setattr(FrameReader, "jpeg", slowly)


def test_playing_keeps_the_pace_of_the_video_by_passing_frames_over(slow_frames, editor):
    page = editor.page
    page.wait_for_timeout(2500)  # the frames fetched ahead of time
    page.locator("#speed").select_option("0.25")
    watch(page)
    editor.press("Space")
    editor.frame(9)
    page.get_by_role("button", name="Play", exact=True).wait_for()  # it stopped
    shown = shown_frames(page)
    frames = [frame for frame, _ in shown]
    assert frames == sorted(frames)
    assert 3 <= len(frames) < 9, shown
    assert page.evaluate("localStorage.getItem('cyclevos-speed')") == "0.25"


def test_playing_loops_within_the_range_until_it_is_stopped(editor):
    page = editor.page
    page.evaluate(_RANGE)
    watch(page)
    editor.press("l", "Space")

    def rounds() -> int:
        frames = [frame for frame, _ in shown_frames(page)]
        return sum(later < sooner for sooner, later in itertools.pairwise(frames))

    editor.until(lambda: rounds() >= 2)
    editor.press("Space")
    assert {frame for frame, _ in shown_frames(page)} <= {0, 2, 3, 4}
    page.get_by_role("button", name="Play", exact=True).wait_for()
    page.reload()
    page.locator("#loop[aria-pressed='true']").wait_for()


def test_a_frame_on_its_way_is_a_placeholder_that_cannot_be_painted_on(editor):
    page, words = editor.page, editor.page.locator("#absent")
    held = editor.hold("/frames/7")
    page.locator("#frame").fill("7")
    editor.press("Enter")
    words.get_by_text("Frame 7 is being fetched").wait_for()
    stage = page.evaluate("""() => {
        const canvas = document.getElementById('canvas');
        const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
        return new Set(new Uint32Array(data.buffer)).size;
    }""")
    assert stage == 1  # one colour: no picture at all
    page.mouse.click(*editor.at(20, 12))
    page.locator(".toast", has_text="Paint once it is here").wait_for()
    assert not editor.project.masks.marks
    route, answer = held[0]
    route.fulfill(response=answer)
    editor.frame(7)
    words.wait_for(state="hidden")
    page.mouse.click(*editor.at(20, 12))
    editor.saved()
    assert set(editor.project.masks.marks) == {7}


def test_a_frame_that_cannot_be_fetched_is_said_to_be_missing(editor):
    page = editor.page
    page.route("**/frames/7", lambda route: route.abort())
    editor.page.locator("#frame").fill("7")
    editor.press("Enter")
    page.locator("#absent", has_text="Frame 7 could not be fetched").wait_for()
    page.unroute("**/frames/7")
    editor.go(6)
    editor.go(7)
    page.locator("#absent").wait_for(state="hidden")


_LARGE = (600, 1200)  # wider than the canvas
_FIT = "async () => (await import('/js/canvas/view.js')).shown.fit"
_SHOWN = """async () => {
    const { shown } = await import('/js/canvas/view.js');
    const canvas = new OffscreenCanvas(shown.picture.width, shown.picture.height);
    const context = canvas.getContext('2d');
    context.drawImage(shown.picture, 0, 0);
    const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
    const sum = (bytes) => bytes.reduce((sum, byte, at) => (sum + byte * (at % 8191)) % 4294967291, 0);
    return { frame: shown.frame, fit: shown.fit, width: shown.picture.width, ids: sum(shown.ids), pixels: sum(data) };
}"""
_FETCHED = """async ([project, frame]) => {
    const place = `/api/projects/${project}`;
    const picture = await createImageBitmap(await (await fetch(`${place}/frames/${frame}`)).blob());
    const context = new OffscreenCanvas(picture.width, picture.height).getContext('2d');
    context.drawImage(picture, 0, 0);
    const { data } = context.getImageData(0, 0, picture.width, picture.height);
    const ids = new Uint8Array(await (await fetch(`${place}/masks/${frame}`)).arrayBuffer());
    const sum = (bytes) => bytes.reduce((sum, byte, at) => (sum + byte * (at % 8191)) % 4294967291, 0);
    return { frame, fit: 0, width: picture.width, ids: sum(ids), pixels: sum(data) };
}"""


def test_a_large_video_plays_reduced_and_stands_still_exact(server, options, new_page):
    folder = options.folders[0] / "large"
    folder.mkdir()
    rows, columns = np.mgrid[0 : _LARGE[0], 0 : _LARGE[1]]
    for index in range(6):
        image = np.stack([(rows + 9 * index) % 256, columns % 256, (rows + columns) % 256], axis=-1)
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{index}.jpg", quality=90)
    project = server.guard.services.workspace.create(folder)
    for index in range(6):
        ids = np.where((rows // 7 + columns // 5 + index) % 3 == 0, 1, 0).astype(np.uint8)
        project.track_frame(index, ids, FrameResult({1: 0.9}), None)
    editor = new_page()
    editor.size, page = _LARGE, editor.page
    page.goto(f"{server.address}/?project={project.id}")
    editor.frame(0)
    page.locator("#speed").select_option("0.25")
    editor.press("l", "Space")
    editor.until(lambda: page.evaluate(_FIT) == 960)
    page.mouse.click(*editor.at(900, 300))  # whoever paints stops it, and paints on the exact mask alone
    page.get_by_role("button", name="Play", exact=True).wait_for()
    editor.until(lambda: page.evaluate(_FIT) == 0)
    shown = page.evaluate(_SHOWN)
    assert shown == page.evaluate(_FETCHED, [project.id, shown["frame"]])
    assert shown["width"] == _LARGE[1]
    assert not project.masks.marks
