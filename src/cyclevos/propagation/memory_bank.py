"""The memory bank: chooses the memory frames and keeps their number bounded; the network stores what it remembers."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from cyclevos.network.protocol import FrameMemory, MemoryNetwork, Slot
from cyclevos.network.traits import Kind, MemoryPolicy

_GIVEN = "given"  # in a snapshot: one row (place, slot) for each mask of the user


class MemoryBank:
    """Holds the memory of several frames for a growing number of objects.

    Args:
        network: remembers and reads.
        policy: the bound.
    """

    def __init__(self, network: MemoryNetwork, policy: MemoryPolicy) -> None:
        self.policy = policy
        self._memory = network.new_memory(policy)
        self._slots: list[Slot] = []
        self._written = 0

    @property
    def frames(self) -> list[int]:
        """Indices of the frames held, in no particular order."""
        return [slot.frame for slot in self._slots]

    def __len__(self) -> int:
        """Return the number of frames held."""
        return len(self._slots)

    def read(self, now: int) -> Any:
        """Return what the network reads to segment the frame of index ``now``."""
        return self._memory.read(self._slots, now)

    def write(self, frame: int, memory: FrameMemory, kind: Kind, objects: int, given: Collection[int] = ()) -> None:
        """Store a frame.

        It takes the place of the same frame if that is held, else of the previous frame or, if the bank is full, of
        the frame to be dropped first. A write that raises leaves the bank's contents as they were.

        Args:
            frame: its index.
            memory: of all objects known now; new objects only ever come at the end.
            kind: why it is a memory frame.
            objects: number of objects known now.
            given: the slots, from 0, of the objects whose masks are the user's.
        """
        again = frame in self.frames
        place = self.frames.index(frame) if again else self._place()
        self._memory.write(place, memory, again=again)
        self._slots[place : place + 1] = [Slot(frame, kind, self._written, objects, tuple(sorted(given)))]
        self._written += 1

    def forget(self, number: int) -> None:
        """Remove an object, and the frames in which no other object was known; objects after it move up.

        Args:
            number: its slot, from 0.
        """
        self._memory.forget(number, self._slots)
        left = (slot.without(number) for slot in self._slots)
        self._slots = [slot for slot in left if slot is not None]

    def snapshot(self) -> dict[str, Tensor]:
        """Return the frames held, as copied tensors."""
        rows = [[slot.frame, slot.kind, slot.serial, slot.objects] for slot in self._slots]
        given = [[place, of] for place, slot in enumerate(self._slots) for of in slot.given]
        return {
            "slots": torch.tensor(rows, dtype=torch.int64).view(-1, 4),
            _GIVEN: torch.tensor(given, dtype=torch.int64).view(-1, 2),
            **self._memory.snapshot(self._slots),
        }

    def restore(self, snapshot: Mapping[str, Tensor], device: torch.device) -> None:
        """Replace the frames held with those of a snapshot.

        Raises:
            KeyError, ValueError: the tensors are not a snapshot, or are one of another version.
        """
        if snapshot["slots"].shape[1:] != (4,):
            raise ValueError(f"expected 4 numbers per memory frame, got {tuple(snapshot['slots'].shape)}")
        given: dict[int, list[int]] = {}
        for place, of in snapshot[_GIVEN].tolist():
            given.setdefault(place, []).append(of)
        self._slots = [
            Slot(frame, Kind(kind), serial, objects, tuple(given.get(place, ())))
            for place, (frame, kind, serial, objects) in enumerate(snapshot["slots"].tolist())
        ]
        self._written = 1 + max((slot.serial for slot in self._slots), default=-1)
        self._memory.restore(snapshot, self._slots, device)

    def _place(self) -> int:
        """Return where a frame goes that is not held."""
        for i, slot in enumerate(self._slots):
            if slot.kind is Kind.PREVIOUS:
                return i
        held = len(self._slots)
        if self.policy.max_frames is None or held < self.policy.max_frames:
            return held
        # Every later mask depends on the very first frame, so it is dropped last.
        candidates = range(1, held) if held > 1 else range(held)
        return min(candidates, key=lambda i: (self._slots[i].kind, self._slots[i].serial))
