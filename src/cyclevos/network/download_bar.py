"""The progress of a download: a bar on a terminal, lines in a log elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

logger = logging.getLogger(__name__)

_SECONDS_BETWEEN_LINES = 10.0


def megabytes(size: int) -> str:
    """Return a number of bytes as text.

    >>> megabytes(140_237_776), megabytes(900_000_000_000), megabytes(512)
    ('140 MB', '900,000 MB', '0.5 kB')
    """
    return f"{size / 1e6:,.0f} MB" if size >= 1e6 else f"{size / 1e3:,.1f} kB"


@contextmanager
def download_bar(title: str, total: int | None, done: int) -> Iterator[Callable[[int], None]]:
    """Show progress on standard error; the yielded function takes the bytes that have come since its last call.

    Args:
        title: what is downloaded.
        total: bytes of the whole; None = unknown.
        done: bytes that are there already.
    """
    from rich.console import Console
    from rich.errors import LiveError
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    progress = Progress(*columns, console=console, disable=not console.is_terminal)
    try:
        progress.start()
    except LiveError:  # a bar of the command is being shown, and there can be one only
        yield _lines(title, total, done)
        return
    task = progress.add_task(title, total=total, completed=done)
    told = _lines(title, total, done)

    def advance(more: int) -> None:
        progress.advance(task, more)
        if not console.is_terminal:
            told(more)

    try:
        yield advance
    finally:
        progress.stop()


def _lines(title: str, total: int | None, done: int) -> Callable[[int], None]:
    """Return a function that logs a line every few seconds."""
    last = time.monotonic()

    def advance(more: int) -> None:
        nonlocal done, last
        done += more
        if time.monotonic() - last >= _SECONDS_BETWEEN_LINES:
            last = time.monotonic()
            logger.info("%s: %s of %s", title, megabytes(done), megabytes(total) if total else "unknown size")

    return advance
