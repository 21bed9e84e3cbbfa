"""Reading JSON that somebody else wrote: bounded, and with errors that name the place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclevos.errors import MaskError
from cyclevos.words import counted

if TYPE_CHECKING:
    from pydantic import ValidationError

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


def check_bytes(path: Path) -> None:
    """Refuse a file of text that is too large to be parsed.

    Raises:
        MaskError: it has more than MAX_BYTES bytes, or is not there.
    """
    try:
        size = path.stat().st_size
    except OSError as error:
        raise MaskError(f"{path} cannot be read ({error.strerror or error}).", "Check the file.") from error
    if size > MAX_BYTES:
        raise MaskError(f"{path} has {size:,} bytes; expected at most {MAX_BYTES:,}.", "Split it into several files.")


def broken(path: Path, error: ValidationError) -> MaskError:
    """Return the error for a file whose content is not what its format says."""
    first, places = error.errors()[0], counted(error.error_count(), "such place")
    return MaskError(
        f"{path}: {'.'.join(map(str, first['loc']))}: {first['msg']} ({places}).",
        "Correct the file or export it again.",
    )
