"""SHA-256 of weights: of a file, or of the safetensors of a folder; computed once for as long as they do not change."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

from cyclevos.network.calibration import SUFFIX


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of weights in hexadecimal.

    Args:
        path: a file, or a folder: then of its safetensors alone if it has one, else of all their names and checksums.

    Raises:
        OSError: it cannot be read.
    """
    if path.is_file():
        return _remembered(path)
    files = [each for each in sorted(path.glob("*.safetensors")) if not each.name.endswith(SUFFIX)]
    if len(files) == 1:
        return _remembered(files[0])
    return hashlib.sha256("".join(f"{each.name} {_remembered(each)}\n" for each in files).encode()).hexdigest()


def checksum(path: Path, algorithm: str = "sha256") -> str:
    """Return the checksum of a file in hexadecimal.

    Args:
        path: the file.
        algorithm: ``sha256`` or ``md5``.
    """
    digest = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _remembered(path: Path) -> str:
    state = path.stat()
    return _checksum_at(path.resolve(), state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=64)
def _checksum_at(path: Path, size: int, changed: int) -> str:
    """Return the checksum of a file; its size and time are part of the key, so a changed file is read again."""
    return checksum(path)
