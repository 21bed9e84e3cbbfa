"""The progress bars that every command shares."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Protocol

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)

from cyclevos.words import counted

Advance = Callable[[int, str], None]


class OpenBar(Protocol):
    """Opens a bar."""

    def __call__(self, title: str, total: int | None, *, unit: str = "frames") -> AbstractContextManager[Advance]:
        """Open one with a title and a total, None = unknown; `unit` is what is counted, in the plural."""
        ...


@contextmanager
def progress_bar(title: str, total: int | None, *, unit: str, quiet: bool) -> Iterator[Advance]:
    """Show a bar on standard error; the yielded function takes the number done and a note.

    Args:
        title: what is being done.
        total: number of units; None = unknown.
        unit: what is counted, in the plural.
        quiet: show nothing.
    """
    with _progress(quiet) as progress:
        task = progress.add_task(title, total=total, note="", unit=unit)

        yield partial(_advance, progress, task)


@contextmanager
def batch_bars(clips: int, frames: int, *, quiet: bool) -> Iterator[tuple[OpenBar, Callable[[int, int], None]]]:
    """Show the progress of all clips on standard error, with a bar for each one that is running.

    Args:
        clips: number of clips.
        frames: total number of frames of all clips.
        quiet: show nothing.

    Yields:
        A function that opens the bar of a clip, and one that takes the number of clips and of frames that are done.
    """
    with _progress(quiet) as progress:
        note = f"0 of {counted(clips, 'sequence')}"
        overall = progress.add_task("all sequences", total=frames, note=note, unit="frames")

        @contextmanager
        def open_bar(title: str, total: int | None, *, unit: str = "frames") -> Iterator[Advance]:
            task = progress.add_task(title, total=total, note="", unit=unit)
            try:
                yield partial(_advance, progress, task)
            finally:
                progress.remove_task(task)

        def finish(done: int, frames_done: int) -> None:
            progress.update(overall, completed=frames_done, note=f"{done} of {counted(clips, 'sequence')}")

        yield open_bar, finish


def with_loss(advance: Advance) -> Callable[[int, float], None]:
    """Return what shows the number of steps done with the loss of the last one, which is NaN if it had none."""
    return lambda done, loss: advance(done, "" if math.isnan(loss) else f"loss {loss:.3f}")


def _advance(progress: Progress, task: TaskID, done: int, note: str = "") -> None:
    progress.update(task, completed=done, note=note)


def _progress(quiet: bool) -> Progress:
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    return Progress(*columns, console=Console(stderr=True), disable=quiet)
