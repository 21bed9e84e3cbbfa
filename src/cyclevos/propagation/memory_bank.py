"""The memory bank: keys and values of the frames worth remembering, preallocated and bounded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from cyclevos.errors import ConfigError
from cyclevos.network.protocol import MemoryFeatures

# Shapes: O objects, Ck Cv key and value channels, h w cells at stride 16, F frames held, N = F*h*w.

_FIRST_FRAMES = 16  # room made at first; a larger bound is grown into, as it may never be reached


class Kind(IntEnum):
    """Why a frame is remembered; the lower, the sooner it is forgotten."""

    PREVIOUS = 0
    SAMPLED = 1
    REFERENCE = 2


@dataclass(frozen=True)
class MemoryPolicy:
    """Which frames are remembered: annotated ones, every n-th one and the previous one.

    Attributes:
        every: a frame is kept for good when its distance from the start is a multiple of this.
        max_frames: frames held at most, all kinds together; the oldest sampled one goes first. None
            holds all.
    """

    every: int = 5
    max_frames: int | None = 8

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.every < 1:
            raise ConfigError(f"memory_every must be at least 1, got {self.every}.")
        if self.max_frames is not None and self.max_frames < 2:
            raise ConfigError(
                f"max_memory_frames must be at least 2 (reference and previous frame), got {self.max_frames}."
            )


@dataclass
class _Slot:
    frame: int
    kind: Kind
    serial: int


class MemoryBank:
    """Holds memory features of several frames for a growing number of objects.

    Args:
        policy: the bound.
        shared_key: a frame's key is the same for all its objects and is held once.
    """

    def __init__(self, policy: MemoryPolicy, *, shared_key: bool = False) -> None:
        self.policy, self.shared_key = policy, shared_key
        self._slots: list[_Slot] = []
        self._cells = 0
        self._written = 0
        # Cell-major, so that a prefix of the frames is one view and the read's products need no copy.
        self._key = torch.empty(0)  # (O or 1,F*h*w,Ck)
        self._value = torch.empty(0)  # (O,F*h*w,Cv)
        self._known = torch.empty(0, dtype=torch.bool)  # (O,F): was the object known in that frame?

    @property
    def frames(self) -> list[int]:
        """Indices of the frames held, in no particular order."""
        return [slot.frame for slot in self._slots]

    def __len__(self) -> int:
        """Return the number of frames held."""
        return len(self._slots)

    def read(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return keys (O,Ck,N), values (O,Cv,N) and, where objects differ, bool (O,N) of known cells."""
        held = len(self._slots)
        n = held * self._cells
        known = self._known[:, :held]
        mask = None if bool(known.all()) else known.repeat_interleave(self._cells, dim=1)
        key, value = self._key[:, :n].transpose(1, 2), self._value[:, :n].transpose(1, 2)
        return key.expand(len(value), -1, -1), value, mask

    def write(self, frame: int, features: MemoryFeatures, kind: Kind) -> None:
        """Remember a frame in place of the last previous one or, when full, of the least worthy.

        Args:
            frame: its index.
            features: of all objects known now; objects are only ever added at the end.
            kind: why it is remembered.
        """
        key, value = (f.flatten(2).transpose(1, 2) for f in features)  # (O,h*w,C)
        key = key[:1] if self.shared_key else key
        self._cells = key.shape[1]
        place = self._place()
        self._reserve(key, value, place + 1)
        cells = slice(place * self._cells, (place + 1) * self._cells)
        self._key[:, cells], self._value[:, cells] = key, value
        self._known[:, place] = True
        slot = _Slot(frame, kind, self._written)
        self._written += 1
        if place == len(self._slots):
            self._slots.append(slot)
        else:
            self._slots[place] = slot

    def snapshot(self) -> dict[str, Tensor]:
        """Return the frames held as tensors of their own."""
        held = len(self._slots)
        n = held * self._cells
        slots = [[slot.frame, slot.kind, slot.serial] for slot in self._slots]
        return {
            "slots": torch.tensor(slots, dtype=torch.int64).view(-1, 3),
            "key": self._key[:, :n].cpu().clone() if held else torch.empty(0),
            "value": self._value[:, :n].cpu().clone() if held else torch.empty(0),
            "known": self._known[:, :held].cpu().clone() if held else torch.empty(0),
        }

    def restore(self, snapshot: dict[str, Tensor], device: torch.device) -> None:
        """Hold what a snapshot held, and nothing else."""
        self._slots = [_Slot(frame, Kind(kind), serial) for frame, kind, serial in snapshot["slots"].tolist()]
        self._key, self._value, self._known = torch.empty(0), torch.empty(0), torch.empty(0, dtype=torch.bool)
        if not self._slots:
            return
        key, value, known = (snapshot[name].to(device) for name in ("key", "value", "known"))
        self._cells = key.shape[1] // len(self._slots)
        self._written = 1 + max(slot.serial for slot in self._slots)
        self._reserve(key, value, len(self._slots))
        n = key.shape[1]
        self._key[:, :n], self._value[:, :n], self._known[:, : len(self._slots)] = key, value, known

    def _place(self) -> int:
        for i, slot in enumerate(self._slots):
            if slot.kind is Kind.PREVIOUS:
                return i
        held = len(self._slots)
        if self.policy.max_frames is None or held < self.policy.max_frames:
            return held
        # The very first frame is what everything hangs on: it goes last.
        candidates = range(1, held) if held > 1 else range(held)
        return min(candidates, key=lambda i: (self._slots[i].kind, self._slots[i].serial))

    def _reserve(self, key: Tensor, value: Tensor, frames: int) -> None:
        """Make room for the objects and frames, keeping what is held."""
        objects, capacity = self._known.shape if self._known.ndim == 2 else (0, 0)
        if objects >= len(value) and capacity >= frames:
            return
        if capacity < frames:
            limit = self.policy.max_frames
            capacity = max(_FIRST_FRAMES, 2 * capacity, frames)
            capacity = capacity if limit is None else min(capacity, limit)
        old_key, old_value, old_known = self._key, self._value, self._known
        self._key = key.new_zeros(len(key), capacity * self._cells, key.shape[2])
        self._value = value.new_zeros(len(value), capacity * self._cells, value.shape[2])
        self._known = torch.zeros(len(value), capacity, dtype=torch.bool, device=key.device)
        if objects:
            n = old_key.shape[1]
            self._key[: len(old_key), :n], self._value[:objects, :n] = old_key, old_value
            self._known[:objects, : old_known.shape[1]] = old_known
