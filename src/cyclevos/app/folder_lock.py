"""One server per project folder: a lock that goes with the process that holds it, however that ends."""

from __future__ import annotations

import os
from pathlib import Path

from cyclevos.app.errors import ConflictError
from cyclevos.files.atomic import output_errors


class FolderLock:
    """Holds a folder until released.

    Args:
        folder: gets a file `.lock`.

    Raises:
        ConflictError: another process holds it.
        OutputError: the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        path = folder / ".lock"
        with output_errors(path):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(self._file)
        except OSError as error:
            os.close(self._file)
            raise ConflictError(
                f"{folder} is open in another cyclevos app.", "Use that one, or stop it and reload this page."
            ) from error

    def release(self) -> None:
        """Let others have the folder; may be called again."""
        if self._file >= 0:
            os.close(self._file)  # the lock goes with it
            self._file = -1


def _lock(file: int) -> None:
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        import msvcrt

        msvcrt.locking(file, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        return
    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
