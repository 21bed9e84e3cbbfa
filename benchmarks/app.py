"""Times the app's page in Chromium: painting, pointing, and the delay from a computed mask to its overlay.

Usage:
    python benchmarks/app.py [--frames 24]

The packaged network tracks a bundled clip at its own size and enlarged to 1080p and 4K. The delay of a frame is
measured from the moment its mask is computed until its overlay is drawn, while the network works on the next frame. A
click of the tool Point is timed from the release of the button until its mask is drawn, with the queue empty and while
the clip is tracked.
"""

from __future__ import annotations

import argparse
import socket
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import uvicorn
from clips import write_clip
from playwright.sync_api import Page, sync_playwright
from serving import chromium
from shown_frames import shown_frames, watch

from cyclevos.app.projects.project import Project
from cyclevos.app.server.server import AppOptions, create_app

_STROKE = """async (canvas, count) => {
    const box = canvas.getBoundingClientRect();
    const send = (kind, turn, buttons) => canvas.dispatchEvent(new PointerEvent(kind, {
        clientX: box.left + box.width * (0.5 + 0.3 * Math.cos(turn)),
        clientY: box.top + box.height * (0.5 + 0.3 * Math.sin(2 * turn)),
        button: kind === 'pointermove' ? -1 : 0, buttons, pointerId: 1, bubbles: true }));
    canvas.setPointerCapture = () => {};
    const next = () => new Promise((resolve) => requestAnimationFrame(resolve));
    const busy = [], gaps = [];
    send('pointerdown', 0, 1);
    let last = await next();
    for (let k = 1; k <= count; k++) {
        const begun = performance.now();
        send('pointermove', k / 10, 1);
        busy.push(performance.now() - begun);
        const now = await next();
        gaps.push(now - last);
        last = now;
    }
    send('pointerup', 0, 0);
    return { busy, gaps };
}"""


_WATCH_CLICKS = """(canvas) => {
    window.clicks = [];
    let released = 0;
    canvas.addEventListener('pointerup', () => { released = performance.now(); }, true);
    const put = CanvasRenderingContext2D.prototype.putImageData;
    CanvasRenderingContext2D.prototype.putImageData = function (...rest) {
        put.apply(this, rest);
        if (!released) return;
        const from = released;
        released = 0;
        const seen = new MessageChannel();  // answered once the picture is drawn
        seen.port1.onmessage = () => clicks.push(performance.now() - from);
        requestAnimationFrame(() => seen.port2.postMessage(null));
    };
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=24)
    arguments, program = parser.parse_args(), chromium()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as driver:
        folder = Path(name)
        clips = {height: write_clip(folder / f"{height}.mp4", height, arguments.frames) for height in (480, 1080, 2160)}
        guard = create_app(AppOptions(folder / "projects", [folder]))
        listening = socket.socket()
        listening.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(guard, log_config=None, access_log=False, timeout_graceful_shutdown=1))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            for height, (clip, ids) in clips.items():
                project = guard.services.workspace.create(clip)
                page = browser.new_page(viewport={"width": 1280, "height": 720})
                page.goto(f"http://127.0.0.1:{listening.getsockname()[1]}/?project={project.id}")
                page.locator("#canvas[data-frame='0']").wait_for()
                page.locator("#reading").wait_for(state="hidden")
                paint(page, height)
                point(page, height)
                track(page, project, ids, height)
                point_while_tracking(page, height)
                page.close()
        finally:
            browser.close()
            server.should_exit = True
            thread.join()


def paint(page: Page, height: int) -> None:
    """Paint with 120 pointer events, one per screen frame, and print their times."""
    page.locator("#size").fill("40")
    told = page.locator("#canvas").evaluate(_STROKE, 120)
    page.locator("#saved", has_text="All saved").wait_for()
    busy, gaps = np.median(told["busy"]), np.percentile(told["gaps"], [50, 95])
    print(f"{height}p: a pointer event {busy:.1f} ms; pictures every {gaps[0]:.1f} ms, 95 % within {gaps[1]:.1f} ms")


def point(page: Page, height: int) -> None:
    """Click on the object, and on and off it, and print how long each click takes to show."""
    page.locator("#canvas").evaluate(_WATCH_CLICKS)
    with page.expect_response("**/point"):
        page.keyboard.press("c")
    print(f"{height}p: {click(page)}")


def point_while_tracking(page: Page, height: int) -> None:
    """The same in the last frame, while the clip is tracked again."""
    page.keyboard.press("Home")
    page.keyboard.press("b")
    page.locator("#canvas[data-frame='0']").wait_for()
    page.locator("#canvas").evaluate(_STROKE, 3)
    page.locator("#saved", has_text="All saved").wait_for()
    page.keyboard.press("t")
    page.locator("#job-figures", has_text="of").wait_for()
    page.keyboard.press("End")
    with page.expect_response("**/point"):
        page.keyboard.press("c")
    print(f"{height}p: {click(page)} while tracking; {page.locator('#job-figures').inner_text()}")
    page.get_by_role("button", name="Stop").click()
    page.locator("#job").wait_for(state="hidden", timeout=60_000)


def click(page: Page) -> str:
    box = page.locator("#canvas").bounding_box()
    assert box is not None
    page.evaluate("clicks.length = 0")
    places = (0.5, 0.6), (0.45, 0.55), (0.6, 0.6), (0.2, 0.8), (0.55, 0.5), (0.8, 0.3)
    for number, (x, y) in enumerate(places, start=1):
        button = "right" if number in (4, 6) else "left"
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"], button=button)
        while page.evaluate("clicks.length") < number:
            page.wait_for_timeout(20)
        page.locator("#saved", has_text="All saved").wait_for()
    times = page.evaluate("clicks")
    return f"a click shows after {np.median(times):.0f} ms, the slowest after {max(times):.0f} ms"


def track(page: Page, project: Project, ids: np.ndarray[Any, Any], height: int) -> None:
    """Track the clip and print the delay between computing each mask and showing it."""
    project.forget(0)
    project.paint(0, ids, project.mask(0).tag)
    computed: dict[int, float] = {}
    store = Project.track_frame

    def timed(self: Project, index: int, *rest: Any) -> None:
        computed[index] = 1000 * time.time()
        store(self, index, *rest)

    watch(page)
    with patch.object(Project, "track_frame", timed):
        page.keyboard.press("t")
        page.locator("#follow").click()
        page.locator(".toast", has_text="Tracked").wait_for(timeout=300_000)
    arrivals = dict(reversed(shown_frames(page)))  # of each frame, when it was shown first
    delays = [arrivals[index] - at for index, at in computed.items() if index and index in arrivals]
    median, late = np.percentile(delays, [50, 95])
    seen = f"{len(delays)} of {len(computed) - 1} frames seen"
    print(f"{height}p: overlay shown {median:.0f} ms after it is computed, 95 % within {late:.0f} ms ({seen})")
    print(f"{height}p: a frame every {np.median(np.diff(sorted(computed.values()))):.0f} ms")


if __name__ == "__main__":
    main()
