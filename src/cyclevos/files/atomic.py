"""Files that are whole or not there: written beside and renamed, with the disk's refusals in words."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cyclevos.errors import CycleVOSError, OutputError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path in the same folder, which becomes `path` when the block ends without an error.

    On an error the temporary file goes and what was at `path` stays.

    Raises:
        OutputError: the system refuses to write.
    """
    temporary = temporary_path(path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def temporary_path(path: Path) -> Path:
    """Where a file is written before it gets its name; the same each time, so that a killed run leaves "
    "one at most.
    """
    return path.with_name(f".{path.name}.tmp")


def sync_folder(folder: Path) -> None:
    """Wait until the disk has the names of a folder's files, on systems that can be asked for that.

    Raises:
        OSError: the disk refuses.
    """
    if os.name != "posix":  # Windows cannot open a folder, and keeps names without being asked
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network drives only sync files
            raise
    finally:
        os.close(handle)


def check_folder(folder: Path) -> None:
    """Refuse a file where a folder for results is wanted.

    Raises:
        OutputError: there is a file of this name.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file. Expected a folder for the results: choose another name.")


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError within the block into an OutputError that names the path and the room left.

    Raises:
        OutputError: in place of an OSError.
    """
    try:
        yield
    except CycleVOSError:
        raise
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error} ({_free_space(path)}). {_advice(error)} "
            "Then run the same command again: it continues where it stopped."
        ) from error


def _advice(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "Free some space or choose an output folder on another disk."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "Choose an output folder that you may write to."
    return "Check that the folder still exists and that its disk is connected."


def _free_space(path: Path) -> str:
    for folder in path.resolve().parents:
        if folder.exists():
            return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB free on its disk"
    return "free space unknown"
