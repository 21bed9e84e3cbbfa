"""Reading text and JSON that somebody else wrote: bounded, and with errors that name the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cyclevos.errors import MaskError

MAX_BYTES = 2**30
"""Bytes of the largest file that is read; parsed, it takes several times as much memory."""


def read_json_file(path: Path, remedy: str) -> Any:
    """Return the content of a JSON file.

    Args:
        path: the file.
        remedy: what to give instead, for the error.

    Raises:
        MaskError: the file is larger than MAX_BYTES, cannot be read or is not JSON.
    """
    try:
        check_bytes(path)
        return json.loads(path.read_bytes())
    except MaskError:
        raise
    except (OSError, ValueError, RecursionError) as error:
        raise MaskError(f"{path} cannot be read as JSON ({error}).", remedy) from error


def read_text_file(path: Path, what: str, remedy: str, *, most: int = MAX_BYTES, encoding: str = "utf-8-sig") -> str:
    """Return the content of a text file.

    Args:
        path: the file.
        what: what it should be, for the error.
        remedy: what to do instead, for the error.
        most: bytes that it may have.
        encoding: of its characters.

    Raises:
        MaskError: the file is larger, cannot be read, or has characters of another encoding.
    """
    check_bytes(path, most)
    try:
        return path.read_text(encoding=encoding)
    except (OSError, ValueError) as error:
        raise MaskError(f"{path} cannot be read as {what} ({error}).", remedy) from error


def check_bytes(path: Path, most: int = MAX_BYTES) -> None:
    """Refuse a file of text that is too large to be parsed.

    Args:
        path: the file.
        most: bytes that it may have.

    Raises:
        MaskError: it has more bytes, or is not there.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise MaskError(f"{path} cannot be read ({error.strerror or error}).", "Check the file.") from error
    if size > most:
        raise MaskError(f"{path} has {size:,} bytes; expected at most {most:,}.", "Split it into several files.")
