"""Points of a run to go on from: what the propagator had seen, and what that followed from.

A snapshot of a frame is good as long as the settings and every mask given up to that frame (in the run's direction)
are as they were. So a run that was cancelled goes on, and a mask that was fixed makes only what follows it run
again, with the same results as a run from the beginning.
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

from cyclevos.app.durable_files import write_durably

_EVERY = 20  # frames
_MOST = 12


class Snapshots:
    """The snapshots of one pass over a video.

    Args:
        folder: of their files.
        base: what the whole run follows from.
        given: masks by frame index.
        backward: the pass goes to earlier frames.
    """

    def __init__(self, folder: Path, base: str, given: Mapping[int, NDArray[np.uint8]], *, backward: bool) -> None:
        self._folder, self._base, self._backward = folder, base, backward
        self._digests = {index: digest(mask) for index, mask in given.items()}
        self._since = 0

    def latest(self) -> tuple[int, dict[str, Tensor]] | None:
        """Return the last frame that need not run again and what had been seen by then."""
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
        """Tell, once per frame, whether it is time for a snapshot."""
        self._since += 1
        return self._since >= _EVERY

    def save(self, index: int, state: dict[str, Tensor]) -> None:
        """Keep a snapshot; of many, those stay that are evenly spread, and the last one."""
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
    """Name a mask by its pixels."""
    return hashlib.blake2b(mask.tobytes(), digest_size=12).hexdigest()
