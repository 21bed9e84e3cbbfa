"""One server per project folder."""

from __future__ import annotations

from pathlib import Path

from cyclevos.app.errors import ConflictError
from cyclevos.files.locks import Lock


class FolderLock:
    """Holds a project's folder until it is released or the process ends.

    Args:
        folder: gets a file `.lock`.

    Raises:
        ConflictError: another server holds the folder.
        OutputError: the folder cannot be written to.
    """

    def __init__(self, folder: Path) -> None:
        try:
            self._lock = Lock(folder / ".lock")
        except BlockingIOError:
            raise ConflictError(
                f"{folder} is open in another cyclevos app.", "Use that one, or stop it and try again."
            ) from None

    def release(self) -> None:
        """Let others have the folder; may be called again."""
        self._lock.release()
