"""Small files that survive a power cut: written to a temporary file, flushed to disk and renamed."""

from __future__ import annotations

import os
from pathlib import Path

from cyclevos.files.atomic import output_errors, replacing, sync_folder


def write_durably(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write a file whole.

    Args:
        path: the file; its folder is created if needed.
        data: all of it.
        flush: wait until the disk has it; without, a power cut may lose it but never leaves half of it
            under its name.

    Raises:
        OutputError: the file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        file.write(data)
        if flush:
            file.flush()
            os.fsync(file.fileno())
    if flush:
        with output_errors(path):
            sync_folder(path.parent)
