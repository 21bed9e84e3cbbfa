"""Files that are complete or absent: written to a temporary file and renamed; write errors become OutputError."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cyclevos.errors import CycleVOSError, OutputError

_MARK = ".cyclevos"


@contextmanager
def replacing(path: Path, *, flush: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder, which is renamed to `path` when the block ends without an error.

    On an error, the temporary file is removed and `path` is unchanged.

    Args:
        path: the file to write or replace; its folder is created if needed.
        flush: wait until the data and then the new name are on disk, so that a power cut leaves the old file or the
            whole new one.

    Raises:
        OutputError: the file cannot be written.
    """
    temporary = temporary_path(path)
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if flush:
                sync_file(temporary)
            temporary.replace(path)
            if flush:
                sync_folder(path.parent)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise


def temporary_path(path: Path) -> Path:
    """Return the path at which a file is written before it is renamed.

    The path is the same every time, so a killed run leaves at most one such file. Its name carries our mark, so that
    :func:`remove_leftovers` does not remove temporary files of other programs.

    Example:
        >>> temporary_path(Path("out/00000.png")).name
        '.00000.png.cyclevos.tmp'
    """
    return path.with_name(f".{path.name}{_MARK}.tmp")


def partial_path(path: Path) -> Path:
    """Return the path of a file that grows during a run, until it is complete; marked like a temporary file.

    Example:
        >>> partial_path(Path("out/annotations.json")).name
        '.annotations.json.cyclevos.partial'
    """
    return path.with_name(f".{path.name}{_MARK}.partial")


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files and folders that killed runs have left directly in a folder."""
    for leftover in folder.glob(f".*{_MARK}.tmp"):
        if leftover.is_dir():
            shutil.rmtree(leftover)
        else:
            leftover.unlink(missing_ok=True)


def put_in_place(finished: Path, folder: Path) -> None:
    """Give a finished folder its final name, in place of an empty folder or of none.

    Raises:
        OutputError: the folder holds something, or the system refuses to write.
    """
    with output_errors(folder):
        if folder.exists() and any(folder.iterdir()):
            raise OutputError(
                f"{folder} holds files that cyclevos did not write.", "Move them elsewhere and run again."
            )
        if folder.exists():
            folder.rmdir()
        finished.replace(folder)


def sync_file(path: Path) -> None:
    """Wait until the data of a closed file is on disk.

    Raises:
        OSError: the file cannot be opened or synchronised.
    """
    with path.open("rb+") as file:  # Windows synchronises only what is open for writing
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Wait until the names of a folder's files are on disk, if the system supports it.

    Raises:
        OSError: the folder cannot be synchronised.
    """
    if os.name != "posix":  # Windows cannot open a folder, and writes names to disk itself
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network drives can only synchronise files
            raise
    finally:
        os.close(handle)


def check_folder(folder: Path) -> None:
    """Refuse a file where a folder for results is expected.

    Raises:
        OutputError: the path is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file. Expected a folder for the results.", "Choose another name.")


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn an OSError within the block into an OutputError that names the path and the free space.

    Raises:
        OutputError: in place of the OSError.
    """
    try:
        yield
    except CycleVOSError:
        raise
    except OSError as error:
        raise OutputError(
            f"The system cannot write {path}: {error.strerror or error} ({_free_space(path)}).",
            f"{_advice(error)} Then run the same command again: it continues where it stopped.",
        ) from error


def _advice(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "Free some space or choose an output folder on another disk."
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return "Choose an output folder that you have permission to write to."
    return "Check that the folder still exists and that its disk is connected."


def _free_space(path: Path) -> str:
    for folder in path.resolve().parents:
        if folder.exists():
            return f"{shutil.disk_usage(folder).free / 1e9:.1f} GB free on its disk"
    return "free space unknown"
