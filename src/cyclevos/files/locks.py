"""Locks on folders: one process at a time, released by the system when the process ends, however it ends."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cyclevos.errors import OutputError
from cyclevos.files.atomic import check_folder, output_errors

_LOCK = ".cyclevos.lock"


class Lock:
    """A lock that is held until :meth:`release`, from whichever thread that is called.

    Args:
        path: the lock's file; made if need be, readable by its owner only.

    Raises:
        BlockingIOError: another lock on the same file is held, in this process or another one.
        OutputError: the file cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path, timeout=0, mode=0o600, thread_local=False)
        with output_errors(path):
            try:
                self._lock.acquire()
                return
            except Timeout:
                pass
        raise BlockingIOError(f"{path} is locked")

    def release(self) -> None:
        """Let others have it; may be called again."""
        self._lock.release(force=True)


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Reserve a folder of results for this process; the folder is made if need be.

    Raises:
        OutputError: another process writes there, or the folder cannot be made.
    """
    check_folder(folder)
    with output_errors(folder / _LOCK):
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = Lock(folder / _LOCK)
        except BlockingIOError:
            raise OutputError(
                f"Another cyclevos is writing to {folder}.",
                "Wait for it, stop it, or choose another output folder.",
            ) from None
    try:
        yield
    finally:
        lock.release()
