"""The progress bar that every command shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)

Advance = Callable[[int, str], None]


@contextmanager
def progress_bar(title: str, total: int | None, *, unit: str, quiet: bool) -> Iterator[Advance]:
    """Show a bar on standard error; the yielded function takes how many are done and a note.

    Args:
        title: what is being done.
        total: how many there are, None where nobody knows.
        unit: what is counted.
        quiet: show nothing.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=Console(stderr=True), disable=quiet) as progress:
        task = progress.add_task(title, total=total, note="")

        def advance(done: int, note: str = "") -> None:
            progress.update(task, completed=done, note=note)

        yield advance
