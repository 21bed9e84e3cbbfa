"""Small files that survive a power cut: written to a temporary file, flushed to disk and renamed."""

from __future__ import annotations

from pathlib import Path

from cyclevos.files.atomic import replacing


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
    with replacing(path, flush=flush) as temporary:
        temporary.write_bytes(data)
