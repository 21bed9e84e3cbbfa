"""Locks on folders: one process at a time; the system releases a lock when its process ends, even by a kill."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from cyclevos.errors import OutputError
from cyclevos.files.atomic import check_folder, output_errors

_LOCK = ".cyclevos.lock"


class Lock:
    """A lock that is held until :meth:`release`, which any thread may call.

    Args:
        path: the lock's file; created if needed, readable by its owner only.

    Raises:
        BlockingIOError: another lock on the same file is held, by this process or another one.
        OutputError: the file cannot be created.
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
        """Release the lock; calling it again has no effect."""
        self._lock.release(force=True)


@contextmanager
def sole_writer(folder: Path) -> Iterator[None]:
    """Reserve a folder of results for this process; the folder is created if needed.

    Raises:
        OutputError: another process writes there, or the folder cannot be created.
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
