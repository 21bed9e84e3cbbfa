"""Snapshots of a run: the propagator's memory after a frame, keyed by what it was computed from.

A snapshot is valid as long as the settings, the dtype and every annotation up to its frame (in the run's direction)
are unchanged. So a cancelled run continues, and after an annotation was changed only the frames behind it run again,
with the same results as a run from the beginning. A snapshot made on another device is valid too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from cyclevos.app.projects.durable_files import write_durably

_EVERY = 20  # frames
_MOST = 12


class Snapshots:
    """The snapshots of one pass over a video.

    Args:
        folder: of their files.
        base: what the whole run follows from, as text: weights, dtype, settings, direction.
        given: annotations by frame index.
        backward: the pass goes to earlier frames.
    """

    def __init__(self, folder: Path, base: str, given: Mapping[int, NDArray[np.uint8]], *, backward: bool) -> None:
        self._folder, self._base, self._backward = folder, base, backward
        self._digests = {index: digest(mask) for index, mask in given.items()}
        self._since = 0

    def latest(self) -> tuple[int, dict[str, Tensor]] | None:
        """Return the last frame that need not run again and the propagator's memory after it; None without one."""
        good: list[tuple[int, Path]] = []
        for path in self._folder.glob("*.safetensors"):
            number, _, key = path.stem.partition("-")
            if number.isdecimal() and key == self._key(int(number)):
                good.append((int(number), path))
            else:
                path.unlink(missing_ok=True)
        for index, path in sorted(good, reverse=not self._backward):
            try:
                return index, load_file(path)
            except (SafetensorError, OSError):
                path.unlink(missing_ok=True)
        return None

    def due(self) -> bool:
        """Return whether it is time for a snapshot; called once per frame."""
        self._since += 1
        return self._since >= _EVERY

    def save(self, index: int, state: dict[str, Tensor]) -> None:
        """Save a snapshot. Of too many, the one nearest to its neighbours is removed; the first and the last stay."""
        self._since = 0
        path = self._folder / f"{index:05d}-{self._key(index)}.safetensors"
        write_durably(path, save({name: tensor.contiguous() for name, tensor in state.items()}))
        files = sorted(self._folder.glob("*.safetensors"), key=_place)
        if len(files) > _MOST:
            places = [_place(file) for file in files]
            gaps = [abs(places[k + 1] - places[k - 1]) for k in range(1, len(files) - 1)]
            files[1 + int(np.argmin(gaps))].unlink(missing_ok=True)

    def _key(self, index: int) -> str:
        reached = {i: d for i, d in self._digests.items() if (i >= index if self._backward else i <= index)}
        return hashlib.sha256(json.dumps([self._base, sorted(reached.items())]).encode()).hexdigest()[:24]


def _place(file: Path) -> int:
    return int(file.stem.partition("-")[0])


def digest(mask: NDArray[np.uint8]) -> str:
    """Return a digest of a mask's pixels."""
    return hashlib.blake2b(mask.tobytes(), digest_size=12).hexdigest()
