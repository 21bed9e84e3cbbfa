"""What an STM network remembers: keys and values of the memory frames, in preallocated storage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cyclevos.network.protocol import Slot
from cyclevos.network.stm.features import MemoryCells, MemoryFeatures
from cyclevos.network.transfer import upload

# Shapes: O objects, Ck Cv key and value channels, h w cells at stride 16, F frames held, N = F*h*w.

_FIRST_FRAMES = 16  # allocated at first, and grown up to the bound, which short videos never reach


class CellMemory:
    """Holds memory features of several frames for a growing number of objects.

    Args:
        max_frames: most frames that will be held; None = any number.
        shared_key: all objects of a frame have the same key, which is stored once.
    """

    def __init__(self, max_frames: int | None = None, *, shared_key: bool = False) -> None:
        self.max_frames, self.shared_key = max_frames, shared_key
        self._cells = 0
        # Cell-major, so that a prefix of the frames is a view and the products of the read need no copy.
        self._key = torch.empty(0)  # (O or 1,F*h*w,Ck)
        self._value = torch.empty(0)  # (O,F*h*w,Cv)

    def write(self, place: int, memory: MemoryFeatures, *, again: bool = False) -> None:
        """Store a frame in a place; a write that raises leaves the contents as they were."""
        key, value = (f.flatten(2).transpose(1, 2) for f in memory)  # (O,h*w,C)
        key = key[:1] if self.shared_key else key
        self._cells = self._cells or key.shape[1]
        if key.shape[1] != self._cells:
            raise ValueError(f"expected {self._cells} cells in every frame, got {key.shape[1]}")
        self._reserve(key, value, place + 1)
        cells = slice(place * self._cells, (place + 1) * self._cells)
        self._key[:, cells], self._value[:, cells] = key, value

    def read(self, slots: Sequence[Slot], now: int) -> MemoryCells:
        """Return the cells of all frames."""
        n = len(slots) * self._cells
        key, value = self._key[:, :n].transpose(1, 2), self._value[:, :n].transpose(1, 2)
        known = self._known(slots)
        cells = None
        if not bool(known.all()):
            cells = upload(known, value.device).repeat_interleave(self._cells, dim=1)
        return MemoryCells(key.expand(len(value), -1, -1), value, cells)

    def forget(self, number: int, slots: Sequence[Slot]) -> None:
        """Remove an object from all frames, and the frames in which no other was known."""
        places = [place for place, slot in enumerate(slots) if slot.without(number) is not None]
        if not places:
            self._key, self._value, self._cells = torch.empty(0), torch.empty(0), 0
            return
        objects = [i for i in range(len(self._value)) if i != number]
        n = len(slots) * self._cells
        key, value = (f[:, :n].unflatten(1, (len(slots), self._cells))[:, places] for f in (self._key, self._value))
        self._key, self._value = (key if self.shared_key else key[objects]).flatten(1, 2), value[objects].flatten(1, 2)

    def snapshot(self, slots: Sequence[Slot]) -> dict[str, Tensor]:
        """Return what is held, as copied tensors on the host."""
        n = len(slots) * self._cells
        return {
            "key": self._key[:, :n].cpu().clone() if slots else torch.empty(0),
            "value": self._value[:, :n].cpu().clone() if slots else torch.empty(0),
        }

    def restore(self, snapshot: Mapping[str, Tensor], slots: Sequence[Slot], device: torch.device) -> None:
        """Replace what is held with a snapshot."""
        self._key, self._value, self._cells = torch.empty(0), torch.empty(0), 0
        key, value = (snapshot[name].to(device) for name in ("key", "value"))
        if not slots:
            return
        self._cells = key.shape[1] // len(slots)
        self._reserve(key, value, len(slots))
        n = key.shape[1]
        self._key[:, :n], self._value[:, :n] = key, value

    def _known(self, slots: Sequence[Slot]) -> Tensor:
        """Return whether each object was known in each frame held, bool (O,F) on the host."""
        objects = torch.arange(len(self._value))
        return objects[:, None] < torch.tensor([slot.objects for slot in slots], dtype=torch.int64)

    def _reserve(self, key: Tensor, value: Tensor, frames: int) -> None:
        """Allocate storage for the objects and frames, keeping the contents."""
        objects = len(self._value)
        capacity = self._value.shape[1] // self._cells if objects else 0
        if objects >= len(value) and capacity >= frames:
            return
        if capacity < frames:
            capacity = max(_FIRST_FRAMES, 2 * capacity, frames)
            capacity = capacity if self.max_frames is None else min(capacity, self.max_frames)
        larger_key = key.new_zeros(len(key), capacity * self._cells, key.shape[2])
        larger_value = value.new_zeros(len(value), capacity * self._cells, value.shape[2])
        if objects:
            n = self._key.shape[1]
            larger_key[: len(self._key), :n], larger_value[:objects, :n] = self._key, self._value
        self._key, self._value = larger_key, larger_value  # only once both are allocated
