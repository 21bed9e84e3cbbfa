"""Which frames a page shows, and when: watched by the page itself, for benchmarks and for tests."""

from __future__ import annotations

_WATCH = """(canvas) => {
    window.shown = [];
    new MutationObserver(() => {
        const frame = Number(canvas.dataset.frame);
        if (shown.at(-1)?.[0] !== frame) shown.push([frame, performance.timeOrigin + performance.now()]);
    }).observe(canvas, { attributeFilter: ['data-frame'] });
}"""


def watch(page) -> None:
    """Note from now on each frame that a Playwright page shows."""
    page.locator("#canvas").evaluate(_WATCH)


def shown_frames(page) -> list[tuple[int, float]]:
    """Return what was noted, in order: the frame's index and when it was shown, milliseconds since 1970."""
    return [(frame, at) for frame, at in page.evaluate("window.shown")]
