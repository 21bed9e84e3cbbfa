"""Files of a project that survive a power cut, and what is said where they cannot be written."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cyclevos.app.errors import GoneError, UnsavedError
from cyclevos.errors import OutputError
from cyclevos.files.atomic import replacing


def write_durably(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write a file whole.

    Args:
        path: the file; its folder is created if needed, the one above must exist.
        data: all of it.
        flush: wait until the disk has it; without, a power cut may lose it but never leaves half of it
            under its name.

    Raises:
        GoneError: the folder above is gone; it is not made again.
        UnsavedError: the file cannot be written.
    """
    with saving(path.parent):
        path.parent.mkdir(exist_ok=True)  # without parents: a project that was moved is not made again
        with replacing(path, flush=flush) as temporary:
            temporary.write_bytes(data)


@contextmanager
def saving(folder: Path) -> Iterator[None]:
    """Say in the app's words why something cannot be written.

    Args:
        folder: that is written to.

    Raises:
        GoneError: it, or the folder above, is gone.
        UnsavedError: in place of any other error of the system.
    """
    try:
        yield
    except (OSError, OutputError) as error:
        cause = error.__cause__ if isinstance(error, OutputError) else error
        if isinstance(cause, OSError):
            raise _explained(folder, cause) from error
        raise


def check_there(folder: Path) -> None:
    """Refuse to go on where a project's folder is gone.

    Raises:
        GoneError: it is.
    """
    if not folder.is_dir():
        raise _gone(folder)


def _explained(folder: Path, error: OSError) -> UnsavedError:
    if isinstance(error, FileNotFoundError):
        return _gone(folder)
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return UnsavedError(
            f"The disk that holds the project is full ({_free(folder)}).",
            "Free some space on it, for example by deleting old exports of the project.",
        )
    return UnsavedError(
        f"The project's folder cannot be written to ({error.strerror or error}: {folder}).",
        "Allow writing there, or connect its disk again.",
    )


def _gone(folder: Path) -> GoneError:
    return GoneError(
        f"The project's folder is gone ({folder}).",
        "Put it back where it was. What this page shows is saved then.",
    )


def _free(folder: Path) -> str:
    try:
        return f"{shutil.disk_usage(folder if folder.exists() else folder.parent).free / 1e9:.1f} GB free"
    except OSError:
        return "free space unknown"
