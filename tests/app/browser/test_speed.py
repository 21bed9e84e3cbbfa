"""Large frames and fast hands: every pointer event is painted, every tracked frame is shown as it comes."""

from __future__ import annotations

import time

import numpy as np
import pytest
from PIL import Image
from shown_frames import shown_frames, watch

from cyclevos.app.projects.project import Project

_LARGE = (1080, 1920)


@pytest.fixture
def large_clip(tmp_path):
    folder = tmp_path / "videos" / "large"
    folder.mkdir(parents=True)
    rows, columns = np.mgrid[0 : _LARGE[0], 0 : _LARGE[1]]
    for index in range(4):
        image = np.stack([(rows + 9 * index) % 256, columns % 256, (rows + columns) % 256], axis=-1)
        Image.fromarray(image.astype(np.uint8)).save(folder / f"{index}.jpg", quality=90)
    return folder


@pytest.fixture
def large(server, large_clip, new_page):
    person = new_page()
    person.size = _LARGE
    project = server.guard.services.workspace.create(large_clip)
    person.page.goto(f"{server.address}/?project={project.id}")
    person.frame(0)
    person.page.locator("#reading").wait_for(state="hidden")
    person.project = project
    return person


_STROKE = """(canvas, path) => {
    const send = (kind, [x, y], buttons) => canvas.dispatchEvent(new PointerEvent(kind, {
        clientX: x, clientY: y, button: kind === 'pointermove' ? -1 : 0, buttons, pointerId: 1, bubbles: true }));
    canvas.setPointerCapture = () => {};
    send('pointerdown', path[0], 1);
    for (const point of path.slice(1)) send('pointermove', point, 1);
    send('pointerup', path[0], 0);
}"""


def test_all_pointer_events_that_come_at_once_are_painted_on_a_large_frame(large):
    large.brush(60)
    angles = np.linspace(0, 2 * np.pi, 120)
    points = np.stack([960 + 600 * np.cos(angles), 540 + 300 * np.sin(2 * angles)], axis=1)
    large.page.locator("#canvas").evaluate(_STROKE, [list(large.at(x, y)) for x, y in points])
    large.saved()
    ids = large.project.masks.read(0).ids
    assert all(ids[round(y), round(x)] == 1 for x, y in points)
    assert ids[540 - 100, 960] == 0


def test_tracked_frames_are_shown_one_after_the_other(editor, monkeypatch):
    store = Project.track_frame

    def slower(self, *arguments):
        time.sleep(0.25)  # a network of ordinary speed: otherwise frames are passed over
        store(self, *arguments)

    monkeypatch.setattr(Project, "track_frame", slower)
    editor.brush(8)
    editor.drag((6, 10), (10, 10))
    watch(editor.page)
    editor.press("t")
    editor.page.locator("#follow").click()
    editor.tracked()
    shown = [frame for frame, _ in shown_frames(editor.page)]
    assert shown == sorted(shown)
    assert len(set(shown)) >= 5
