"""Snapshots of a run: the propagator's memory after a frame, keyed by what it was computed from.

A snapshot is valid as long as the settings, the dtype and every annotation up to its frame (in the run's direction)
are unchanged, and so is where objects are gone. So a cancelled run continues, and after an annotation was changed only
the frames behind it run again, with the same results as a run from the beginning. A snapshot made on another device is
valid too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from cyclevos.app.projects.absences import Absence, until_frame
from cyclevos.app.projects.durable_files import write_durably

_EVERY = 20  # frames
_MOST = 12
_RECORD = "reached.json"


@dataclass(frozen=True)
class _Inputs:
    """What a pass is computed from: annotations by their digests, and where objects are gone."""

    base: str
    given: Mapping[int, str]
    absences: tuple[Absence, ...]
    backward: bool

    def key(self, index: int) -> str:
        """Return a digest of all that the state after a frame follows from."""
        met = {i: d for i, d in self.given.items() if (i >= index if self.backward else i <= index)}
        gone = until_frame(self.absences, index, backward=self.backward)
        text = json.dumps([self.base, sorted(met.items()), *([sorted(gone)] if gone else [])])
        return hashlib.sha256(text.encode()).hexdigest()[:24]


class Snapshots:
    """The snapshots of one pass over a video.

    Args:
        folder: of their files.
        base: what the whole run follows from, as text: weights, dtype, settings, direction.
        given: digests of the annotations by frame index.
        backward: the pass goes to earlier frames.
        absences: where objects are gone.
    """

    def __init__(
        self,
        folder: Path,
        base: str,
        given: Mapping[int, str],
        *,
        backward: bool,
        absences: Iterable[Absence] = (),
    ) -> None:
        self._folder, self._backward = folder, backward
        self._inputs = _Inputs(base, given, tuple(absences), backward)
        self._since = 0

    def latest(self, limit: int | None = None) -> tuple[int, dict[str, Tensor]] | None:
        """Return the last frame that need not run again and the propagator's memory after it; None without one.

        Args:
            limit: the last frame that is asked for, in the order of the pass; None = any.
        """
        good: list[tuple[int, Path]] = []
        for path in self._folder.glob("*.safetensors"):
            number, _, key = path.stem.partition("-")
            if number.isdecimal() and key == self._key(int(number)):
                good.append((int(number), path))
            else:
                path.unlink(missing_ok=True)
        for index, path in sorted(good, reverse=not self._backward):
            if limit is not None and self._is_past(index, limit):
                continue
            try:
                return index, load_file(path)
            except (SafetensorError, OSError):
                path.unlink(missing_ok=True)
        return None

    def reached(self, index: int) -> bool:
        """Return whether an earlier run with the same annotations came at least as far as a frame."""
        far, inputs = self._record()
        return far is not None and not self._is_past(index, far) and inputs.key(index) == self._key(index)

    def due(self) -> bool:
        """Return whether it is time for a snapshot; called once per frame."""
        self._since += 1
        return self._since >= _EVERY

    def save(self, index: int, state: dict[str, Tensor]) -> None:
        """Save a snapshot. Of too many, the one nearest to its neighbours is removed; the first and the last stay."""
        self._since = 0
        self._write_record(index)
        path = self._folder / f"{index:05d}-{self._key(index)}.safetensors"
        write_durably(path, save({name: tensor.contiguous() for name, tensor in state.items()}))
        files = sorted(self._folder.glob("*.safetensors"), key=_place)
        if len(files) > _MOST:
            places = [_place(file) for file in files]
            gaps = [abs(places[k + 1] - places[k - 1]) for k in range(1, len(files) - 1)]
            files[1 + int(np.argmin(gaps))].unlink(missing_ok=True)

    def _key(self, index: int) -> str:
        return self._inputs.key(index)

    def _is_past(self, index: int, other: int) -> bool:
        return index < other if self._backward else index > other

    def _record(self) -> tuple[int | None, _Inputs]:
        """Return the furthest frame that a run came to, and what it was computed from."""
        try:
            record = json.loads((self._folder / _RECORD).read_bytes())
            given = {int(index): str(text) for index, text in record["given"].items()}
            absences = tuple(Absence(**each) for each in record["absences"])
            return int(record["frame"]), _Inputs(str(record["base"]), given, absences, self._backward)
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None, self._inputs

    def _write_record(self, index: int) -> None:
        far, inputs = self._record()
        if far is not None and self._is_past(far, index) and inputs.key(far) == self._key(far):
            index = far
        record = {
            "frame": index,
            "base": self._inputs.base,
            "given": self._inputs.given,
            "absences": [each.model_dump() for each in self._inputs.absences],
        }
        write_durably(self._folder / _RECORD, json.dumps(record).encode())


def _place(file: Path) -> int:
    return int(file.stem.partition("-")[0])
