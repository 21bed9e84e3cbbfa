"""The memory bank: keys and values of the memory frames, in preallocated, bounded storage."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from cyclevos.errors import ConfigError
from cyclevos.network.protocol import MemoryFeatures
from cyclevos.propagation.transfer import upload

# Shapes: O objects, Ck Cv key and value channels, h w cells at stride 16, F frames held, N = F*h*w.

_FIRST_FRAMES = 16  # allocated at first, and grown up to the bound, which short videos never reach


class Kind(IntEnum):
    """Why a frame is in memory; frames of the lowest kind are dropped first."""

    PREVIOUS = 0
    SAMPLED = 1
    REFERENCE = 2


@dataclass(frozen=True)
class MemoryPolicy:
    """Which frames are memory frames: annotated frames, every n-th frame and the previous one.

    Attributes:
        every: a frame is sampled if its distance from the first annotated one is a multiple of this.
        max_frames: most frames to hold, of all kinds together; the oldest sampled one is dropped first. None holds
            all.

    Raises:
        ConfigError: ``every`` is below 1 or ``max_frames`` below 2.
    """

    every: int = 5
    max_frames: int | None = 8

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.every < 1:
            raise ConfigError(
                f"memory_every must be at least 1, got {self.every}.", "Give a whole number of frames from 1."
            )
        if self.max_frames is not None and self.max_frames < 2:
            raise ConfigError(
                f"max_memory_frames must be at least 2 (reference and previous frame), got {self.max_frames}.",
                "Give 2 or more, or no bound.",
            )


@dataclass
class _Slot:
    frame: int
    kind: Kind
    serial: int
    objects: int  # number known in that frame: the first ones, since objects are only added at the end


class MemoryBank:
    """Holds memory features of several frames for a growing number of objects.

    Args:
        policy: the bound.
        shared_key: all objects of a frame have the same key, which is stored once.
    """

    def __init__(self, policy: MemoryPolicy, *, shared_key: bool = False) -> None:
        self.policy, self.shared_key = policy, shared_key
        self._slots: list[_Slot] = []
        self._cells = 0
        self._written = 0
        # Cell-major, so that a prefix of the frames is a view and the products of the read need no copy.
        self._key = torch.empty(0)  # (O or 1,F*h*w,Ck)
        self._value = torch.empty(0)  # (O,F*h*w,Cv)

    @property
    def frames(self) -> list[int]:
        """Indices of the frames held, in no particular order."""
        return [slot.frame for slot in self._slots]

    def __len__(self) -> int:
        """Return the number of frames held."""
        return len(self._slots)

    def read(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return keys (O,Ck,N), values (O,Cv,N) and the known cells, bool (O,N), or None if every object knows all."""
        n = len(self._slots) * self._cells
        key, value = self._key[:, :n].transpose(1, 2), self._value[:, :n].transpose(1, 2)
        known = self._known()
        cells = None if bool(known.all()) else upload(known, value.device).repeat_interleave(self._cells, dim=1)
        return key.expand(len(value), -1, -1), value, cells

    def write(self, frame: int, features: MemoryFeatures, kind: Kind) -> None:
        """Store a frame in place of the previous frame or, if the bank is full, of the frame to be dropped first.

        A write that raises leaves the bank's contents as they were.

        Args:
            frame: its index.
            features: of all objects known now; new objects only ever come at the end.
            kind: why it is a memory frame.
        """
        key, value = (f.flatten(2).transpose(1, 2) for f in features)  # (O,h*w,C)
        key = key[:1] if self.shared_key else key
        place = self._place()
        self._cells = self._cells or key.shape[1]
        if key.shape[1] != self._cells:
            raise ValueError(f"expected {self._cells} cells in every frame, got {key.shape[1]}")
        self._reserve(key, value, place + 1)
        cells = slice(place * self._cells, (place + 1) * self._cells)
        self._key[:, cells], self._value[:, cells] = key, value
        slot = _Slot(frame, kind, self._written, len(value))
        self._slots[place : place + 1] = [slot]
        self._written += 1

    def snapshot(self) -> dict[str, Tensor]:
        """Return the frames held, as copied tensors."""
        held = len(self._slots)
        n = held * self._cells
        slots = [[slot.frame, slot.kind, slot.serial] for slot in self._slots]
        return {
            "slots": torch.tensor(slots, dtype=torch.int64).view(-1, 3),
            "key": self._key[:, :n].cpu().clone() if held else torch.empty(0),
            "value": self._value[:, :n].cpu().clone() if held else torch.empty(0),
            "known": self._known() if held else torch.empty(0),
        }

    def restore(self, snapshot: dict[str, Tensor], device: torch.device) -> None:
        """Replace the frames held with those of a snapshot."""
        slots = snapshot["slots"].tolist()
        objects = snapshot["known"].sum(dim=0).tolist() if slots else []
        self._slots = [
            _Slot(frame, Kind(kind), serial, int(count))
            for (frame, kind, serial), count in zip(slots, objects, strict=True)
        ]
        self._key, self._value, self._cells, self._written = torch.empty(0), torch.empty(0), 0, 0
        if not self._slots:
            return
        key, value = (snapshot[name].to(device) for name in ("key", "value"))
        self._cells = key.shape[1] // len(self._slots)
        self._written = 1 + max(slot.serial for slot in self._slots)
        self._reserve(key, value, len(self._slots))
        n = key.shape[1]
        self._key[:, :n], self._value[:, :n] = key, value

    def _known(self) -> Tensor:
        """Return whether each object was known in each frame held, bool (O,F) on the host."""
        objects = torch.arange(len(self._value))
        return objects[:, None] < torch.tensor([slot.objects for slot in self._slots], dtype=torch.int64)

    def _place(self) -> int:
        for i, slot in enumerate(self._slots):
            if slot.kind is Kind.PREVIOUS:
                return i
        held = len(self._slots)
        if self.policy.max_frames is None or held < self.policy.max_frames:
            return held
        # Every later mask depends on the very first frame, so it is dropped last.
        candidates = range(1, held) if held > 1 else range(held)
        return min(candidates, key=lambda i: (self._slots[i].kind, self._slots[i].serial))

    def _reserve(self, key: Tensor, value: Tensor, frames: int) -> None:
        """Allocate storage for the objects and frames, keeping the contents."""
        objects = len(self._value)
        capacity = self._value.shape[1] // self._cells if objects else 0
        if objects >= len(value) and capacity >= frames:
            return
        if capacity < frames:
            limit = self.policy.max_frames
            capacity = max(_FIRST_FRAMES, 2 * capacity, frames)
            capacity = capacity if limit is None else min(capacity, limit)
        larger_key = key.new_zeros(len(key), capacity * self._cells, key.shape[2])
        larger_value = value.new_zeros(len(value), capacity * self._cells, value.shape[2])
        if objects:
            n = self._key.shape[1]
            larger_key[: len(self._key), :n], larger_value[:objects, :n] = self._key, self._value
        self._key, self._value = larger_key, larger_value  # only once both are allocated
