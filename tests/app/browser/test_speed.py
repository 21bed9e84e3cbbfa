"""How fast the page is: strokes on a large frame, and masks from the loop to the screen."""

from __future__ import annotations

import logging
import time

import numpy as np
import pytest
from PIL import Image

logger = logging.getLogger(__name__)

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


_STROKE = """async (canvas, [path, count]) => {
    const send = (kind, [x, y], buttons) => canvas.dispatchEvent(new PointerEvent(kind, {
        clientX: x, clientY: y, button: kind === 'pointermove' ? -1 : 0, buttons, pointerId: 1, bubbles: true }));
    canvas.setPointerCapture = () => {};
    const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const busy = [];
    const gaps = [];
    send('pointerdown', path[0], 1);
    let last = await next();
    for (let k = 1; k <= count; k++) {
        const begun = performance.now();
        send('pointermove', path[k % path.length], 1);
        busy.push(performance.now() - begun);
        const now = await next();
        gaps.push(now - last);
        last = now;
    }
    send('pointerup', path[0], 0);
    return { busy, gaps };
}"""


def test_sixty_pointer_events_a_second_are_painted_on_a_large_frame(large):
    large.brush(60)
    angles = np.linspace(0, 2 * np.pi, 60)
    path = [large.at(960 + 600 * np.cos(a), 540 + 300 * np.sin(2 * a)) for a in angles]
    told = large.page.locator("#canvas").evaluate(_STROKE, [[list(point) for point in path], 120])
    large.saved()
    busy, gaps = (float(np.median(told[name])) for name in ("busy", "gaps"))
    late = float(np.percentile(told["gaps"], 95))
    logger.info("a pointer event takes %.2f ms; pictures every %.1f ms, 95 %% within %.1f ms", busy, gaps, late)
    assert (large.project.masks.read(0).ids == 1).sum() > 50_000
    assert busy < 8  # half of a sixtieth of a second
    assert gaps < 25


_WATCH = """(canvas) => {
    window.arrivals = {};
    new MutationObserver(() => {
        arrivals[canvas.dataset.frame] ??= performance.timeOrigin + performance.now();
    }).observe(canvas, { attributeFilter: ['data-frame'] });
}"""


def test_a_mask_is_on_the_screen_soon_after_it_is_computed(editor, monkeypatch):
    from cyclevos.app.tracking import Project

    computed: dict[int, float] = {}
    write = Project.track_frame

    def timed(self, index, *rest):
        time.sleep(0.15)  # a network of ordinary speed: otherwise frames are passed over
        computed[index] = 1000 * time.time()
        write(self, index, *rest)

    monkeypatch.setattr(Project, "track_frame", timed)
    editor.brush(8)
    editor.drag((6, 10), (10, 10))
    editor.page.locator("#canvas").evaluate(_WATCH)
    editor.press("t")
    editor.tracked()
    arrivals = editor.page.evaluate("window.arrivals")
    delays = [arrivals[str(index)] - computed[index] for index in range(1, 10)]
    logger.info("from computed to shown: %s ms", [round(delay) for delay in delays])
    assert float(np.median(delays)) < 50
