"""One process at a time in a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cyclevos.errors import OutputError
from cyclevos.files.atomic import check_folder, output_errors

_LOCK = ".cyclevos.lock"


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Keep a folder of results to this process; the system gives it free when the process ends, however it ends.

    Raises:
        OutputError: another process writes there, or there can be no such folder.
    """
    check_folder(folder)
    with output_errors(folder / _LOCK):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / _LOCK, timeout=0)
        try:
            lock.acquire()
        except Timeout:
            raise OutputError(
                f"Another cyclevos is writing to {folder}. Wait for it, stop it, or choose another output folder."
            ) from None
    try:
        yield
    finally:
        lock.release()
