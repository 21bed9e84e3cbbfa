"""What Cutie remembers of a video: the cells of the memory frames, and a summary of each object over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from cyclevos.network.cutie.features import Bucket, CutieFrame, CutieReading
from cyclevos.network.protocol import Slot
from cyclevos.network.traits import MemoryPolicy

# Shapes: F frames held, K objects, Ck Cv key and value channels, C channels, Q object queries, h w cells.

_SENSORY_UPDATES = 5  # at most, from one memory frame to the next


class CutieMemory:
    """Holds the memory of several frames for a growing number of objects.

    The cells of a frame go when another frame takes its place. The summaries do not: as in the library, they are
    sums over all frames that were ever written, so an object is described by its whole past.

    Args:
        policy: how far memory frames are apart, which decides when the sensory memory is updated.
    """

    def __init__(self, policy: MemoryPolicy) -> None:
        self._every = policy.every
        self._updating = updating_distances(policy.every)
        self._frames: list[CutieFrame] = []
        self._summary = torch.empty(0)  # (K,Q,C+1)
        self._ends: list[int] = []  # number of objects known after each frame that brought new ones

    def write(self, place: int, memory: CutieFrame, *, again: bool = False) -> None:
        """Store a frame in a place, from 0 to the number held.

        Args:
            place: of the frame.
            memory: of the frame.
            again: the place holds the same frame with other masks; its summary goes.

        Raises:
            ValueError: the frame knows fewer objects than an earlier one, or has another number of cells.
        """
        known, objects = len(self._summary), len(memory.summary)
        if objects < known:
            raise ValueError(f"expected at least {known} objects, got {objects}")
        if self._frames and memory.key.shape != self._frames[0].key.shape:
            raise ValueError(f"expected keys {tuple(self._frames[0].key.shape)}, got {tuple(memory.key.shape)}")
        summary = memory.summary.detach().clone()
        if known:
            summary[:known] += self._summary
        if again:
            before = self._frames[place].summary
            summary[: len(before)] -= before
        self._frames[place : place + 1] = [memory.detach()]
        self._summary = summary
        if objects > known:
            self._ends.append(objects)

    def read(self, slots: Sequence[Slot], now: int) -> CutieReading:
        """Return what the network reads to segment the frame of index ``now``."""
        newest = max(slots, key=lambda slot: slot.serial)
        distance = min(abs(now - newest.frame), self._every)
        return CutieReading(
            torch.cat([frame.key.flatten(2) for frame in self._frames], dim=2),
            torch.cat([frame.shrinkage.flatten(2) for frame in self._frames], dim=2),
            tuple(self._bucket(start, end) for start, end in zip([0, *self._ends], self._ends, strict=False)),
            self._summary,
            distance in self._updating,
        )

    def forget(self, number: int, slots: Sequence[Slot]) -> None:
        """Remove an object from all frames and its summary, and the frames in which no other was known."""
        self._frames = [
            frame.select(torch.arange(len(frame.value)) != number)
            for frame, slot in zip(self._frames, slots, strict=True)
            if slot.without(number) is not None
        ]
        self._summary = self._summary[torch.arange(len(self._summary)) != number]
        ends = (end - (number < end) for end in self._ends)
        self._ends = [end for end in dict.fromkeys(ends) if end]  # objects that came alone leave no end

    def snapshot(self, slots: Sequence[Slot]) -> dict[str, Tensor]:
        """Return what is held, as copied tensors on the host by name."""
        held = {"first_seen": torch.tensor(self._ends, dtype=torch.int64), "summary": self._summary.cpu().clone()}
        if self._frames:
            held["key"] = torch.cat([frame.key for frame in self._frames]).cpu()
            held["shrinkage"] = torch.cat([frame.shrinkage for frame in self._frames]).cpu()
            held["value"] = torch.cat([frame.value for frame in self._frames]).cpu()
            held["summaries"] = torch.cat([frame.summary for frame in self._frames]).cpu()
        return held

    def restore(self, snapshot: Mapping[str, Tensor], slots: Sequence[Slot], device: torch.device) -> None:
        """Replace what is held with a snapshot.

        Raises:
            KeyError, ValueError: the tensors are not a snapshot of this kind of memory.
        """
        ends, summary = snapshot["first_seen"].tolist(), snapshot["summary"].to(device)
        frames: list[CutieFrame] = []
        if slots:
            counts = [slot.objects for slot in slots]
            key, shrinkage, value, summaries = (
                snapshot[name].to(device) for name in ("key", "shrinkage", "value", "summaries")
            )
            if len(key) != len(counts) or len(value) != sum(counts) or ends[-1:] != [len(summary)]:
                raise ValueError(
                    f"expected {len(counts)} frames with {sum(counts)} masks, got {len(key)}, {len(value)}"
                )
            parts = zip(key.split(1), shrinkage.split(1), value.split(counts), summaries.split(counts), strict=True)
            frames = [CutieFrame(*part) for part in parts]
        self._ends, self._summary, self._frames = ends, summary, frames

    def _bucket(self, start: int, end: int) -> Bucket:
        places = tuple(place for place, frame in enumerate(self._frames) if len(frame.value) >= end)
        value = torch.cat([self._frames[place].value[start:end].flatten(2) for place in places], dim=2)
        return Bucket(slice(start, end), None if len(places) == len(self._frames) else places, value)


def updating_distances(every: int) -> frozenset[int]:
    """Return at which distances from the last memory frame the sensory memory is updated.

    At most five, spread evenly from 1 to the distance of the next memory frame.

    Example:
        >>> sorted(updating_distances(3)), sorted(updating_distances(10))
        ([1, 2, 3], [1, 3, 6, 8, 10])
    """
    count = min(every, _SENSORY_UPDATES)
    return frozenset(round(1 + i * (every - 1) / max(1, count - 1)) for i in range(count))
