"""What SAM 2 keeps of frames: their features, their memory per object, and which of it is read for a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cyclevos.geometry import Size
from cyclevos.network.protocol import Slot

# Shapes: B frames, O objects, n objects of a group, F memory frames, P object pointers, h w cells at stride 16,
# N tokens of a frame, C channels of the image features and of a pointer, Cm of a token.


@dataclass(frozen=True)
class Sam2Features:
    """Features of B frames.

    Attributes:
        size: (H, W) of the frames.
        stride4: (B,C/8,4h,4w), for the mask decoder.
        stride8: (B,C/4,2h,2w), for the mask decoder.
        cells: (B,C,h,w).
        positions: (1,C,h,w), the position encoding of the cells in the memory attention.
        decoder_positions: (1,C,h,w), and in the mask decoder.
    """

    size: Size
    stride4: Tensor
    stride8: Tensor
    cells: Tensor
    positions: Tensor
    decoder_positions: Tensor

    def select(self, rows: slice) -> Sam2Features:
        """Return the features of some of the frames."""
        return replace(self, stride4=self.stride4[rows], stride8=self.stride8[rows], cells=self.cells[rows])

    def of_objects(self, owner: Tensor) -> Sam2Features:
        """Return the features of each object's frame.

        Args:
            owner: int64 (O,), the frame of each object.
        """
        stride4, stride8, cells = (of_owners(maps, owner) for maps in (self.stride4, self.stride8, self.cells))
        return replace(self, stride4=stride4, stride8=stride8, cells=cells)


def of_owners(maps: Tensor, owner: Tensor) -> Tensor:
    """Gather each object's frame: (B,...) to (O,...), a view if there is one frame."""
    if len(maps) == 1:
        return maps.expand(len(owner), *maps.shape[1:])
    return maps[owner.to(maps.device)]


class ReadGroup(NamedTuple):
    """What objects that are remembered from the same frames read.

    Attributes:
        objects: rows among the O objects.
        tokens: (n,F,N,Cm).
        ranks: of the F frames: 0 = its mask is the user's, else 1 = the nearest frame, 2 = the next, and so on.
        pointers: (n,P,C).
        apart: distance in frames of each pointer from the frame that is segmented.
    """

    objects: tuple[int, ...]
    tokens: Tensor
    ranks: tuple[int, ...]
    pointers: Tensor
    apart: tuple[int, ...]

    def select(self, rows: slice) -> ReadGroup:
        """Return what some of the objects read."""
        return ReadGroup(self.objects[rows], self.tokens[rows], self.ranks, self.pointers[rows], self.apart)


class Sam2Read(NamedTuple):
    """What is read to segment one frame.

    Attributes:
        groups: of all objects.
        positions: (N,Cm), the position encoding of a frame's tokens.
        gated: objects that the network considers absent get an empty mask.
    """

    groups: tuple[ReadGroup, ...]
    positions: Tensor
    gated: bool


@dataclass(frozen=True)
class Sam2FrameMemory:
    """The memory of one frame.

    Attributes:
        tokens: (O,N,Cm).
        positions: (N,Cm), the same for every frame and object.
        pointers: (O,C), the objects' summaries.
    """

    tokens: Tensor
    positions: Tensor
    pointers: Tensor

    def __len__(self) -> int:
        """Return the number of objects O."""
        return len(self.pointers)

    def select(self, objects: Tensor) -> Sam2FrameMemory:
        """Return the memory of some of the objects, bool (O,), best on the host."""
        if bool(objects.all()):
            return self
        rows = objects.nonzero()[:, 0].to(self.pointers.device)
        return Sam2FrameMemory(self.tokens[rows], self.positions, self.pointers[rows])

    def detach(self) -> Sam2FrameMemory:
        """Return the same without gradients."""
        return Sam2FrameMemory(self.tokens.detach(), self.positions.detach(), self.pointers.detach())

    def alone(self, apart: int = 0) -> Sam2Read:
        """Return it as the only frame to be read, as if the user had given its masks.

        No object counts as absent, because an empty mask would have no gradient.
        """
        group = ReadGroup(tuple(range(len(self))), self.tokens[:, None], (0,), self.pointers[:, None], (apart,))
        return Sam2Read((group,), self.positions, gated=False)


class ReadLimits(NamedTuple):
    """How much of the memory is read.

    Attributes:
        frames: frames of higher rank give no tokens, unless their masks are the user's.
        given: most frames with the user's masks that count as such, the nearest ones; None = all.
        pointers: frames of higher rank give no object pointer, unless their masks are the user's.
    """

    frames: int
    given: int | None
    pointers: int


class Sam2Memory:
    """Holds the memory of several frames; see :class:`cyclevos.network.protocol.Memory`.

    Args:
        limits: how much of it is read.
        compact: store the tokens in bfloat16.
    """

    def __init__(self, limits: ReadLimits, *, compact: bool) -> None:
        self._limits, self._compact = limits, compact
        self._frames: list[Sam2FrameMemory] = []

    def write(self, place: int, memory: Any, *, again: bool = False) -> None:
        """Store a frame in a place, from 0 to the number of places held.

        Raises:
            IndexError: the place leaves a gap.
        """
        if not 0 <= place <= len(self._frames):
            raise IndexError(f"expected a place from 0 to {len(self._frames)}, got {place}")
        tokens = memory.tokens.to(torch.bfloat16) if self._compact else memory.tokens
        self._frames[place : place + 1] = [Sam2FrameMemory(tokens, memory.positions, memory.pointers)]

    def read(self, slots: Sequence[Slot], now: int) -> Sam2Read:
        """Return what each object reads to segment a frame.

        Args:
            slots: what is in each place.
            now: index of the frame.
        """
        groups: dict[_Layout, list[int]] = {}
        for number in range(max(slot.objects for slot in slots)):
            groups.setdefault(_layout(number, slots, now, self._limits), []).append(number)
        return Sam2Read(tuple(map(self._group, groups.values(), groups)), self._frames[0].positions, gated=True)

    def forget(self, number: int, slots: Sequence[Slot]) -> None:
        """Remove an object from all frames, and the frames in which no other was known."""
        self._frames = [
            frame.select(torch.arange(len(frame)) != number)
            for frame, slot in zip(self._frames, slots, strict=True)
            if slot.without(number) is not None
        ]

    def snapshot(self, slots: Sequence[Slot]) -> dict[str, Tensor]:
        """Return what is held, copied to the host; objects of all frames follow one another in one dimension."""
        if not self._frames:
            return {name: torch.empty(0) for name in ("tokens", "pointers", "positions")}
        held = {
            "tokens": torch.cat([frame.tokens for frame in self._frames]),
            "pointers": torch.cat([frame.pointers for frame in self._frames]),
            "positions": self._frames[0].positions.clone(memory_format=torch.contiguous_format),
        }
        return {name: tensor.detach().cpu() for name, tensor in held.items()}

    def restore(self, snapshot: Mapping[str, Tensor], slots: Sequence[Slot], device: torch.device) -> None:
        """Replace what is held with a snapshot.

        Raises:
            KeyError: a tensor is missing.
            ValueError: the tensors do not fit each other or the slots.
        """
        tokens, pointers, positions = (snapshot[name] for name in ("tokens", "pointers", "positions"))
        if not slots:
            self._frames = []
            return
        objects = [slot.objects for slot in slots]
        shapes = [tuple(tensor.shape) for tensor in (tokens, pointers, positions)]
        if [len(shape) for shape in shapes] != [3, 2, 2] or shapes[0][1:] != shapes[2]:
            raise ValueError(f"expected tokens (O,N,Cm), pointers (O,C) and positions (N,Cm), got {shapes}")
        if not len(tokens) == len(pointers) == sum(objects):
            raise ValueError(f"expected {sum(objects)} objects in all frames, got {shapes}")
        positions = positions.to(device, copy=True)
        self._frames = [
            Sam2FrameMemory(of_frame.to(device, copy=True), positions, summaries.to(device, copy=True))
            for of_frame, summaries in zip(tokens.split(objects), pointers.split(objects), strict=True)
        ]

    def _group(self, objects: list[int], layout: _Layout) -> ReadGroup:
        frames, pointers = layout
        tokens = torch.stack([_rows(self._frames[place].tokens, objects) for place, _ in frames], dim=1)
        summaries = torch.stack([_rows(self._frames[place].pointers, objects) for place, _ in pointers], dim=1)
        ranks, apart = tuple(rank for _, rank in frames), tuple(apart for _, apart in pointers)
        return ReadGroup(tuple(objects), tokens, ranks, summaries, apart)


_Places = tuple[tuple[int, int], ...]
_Layout = tuple[_Places, _Places]  # (place, rank) of the frames, (place, frames apart) of the pointers


def _layout(number: int, slots: Sequence[Slot], now: int, limits: ReadLimits) -> _Layout:
    """Return what an object reads, in the order in which transformers arranges it."""

    def apart(place: int) -> int:
        return abs(now - slots[place].frame)

    known = [place for place, slot in enumerate(slots) if number < slot.objects]
    known.sort(key=lambda place: (apart(place), -slots[place].serial))
    ranked = list(enumerate(known, start=1))
    given = [place for place in known if number in slots[place].given]
    chosen = given[: limits.given]
    by_serial = sorted(chosen, key=lambda place: slots[place].serial)
    frames = [(place, 0) for place in by_serial]
    frames += [(place, rank) for rank, place in reversed(ranked) if rank <= limits.frames and place not in chosen]
    pointers = [(place, apart(place)) for place in sorted(given, key=lambda place: slots[place].serial)]
    pointers += [(place, apart(place)) for rank, place in ranked if rank <= limits.pointers and place not in given]
    return tuple(frames), tuple(pointers)


def _rows(tensor: Tensor, objects: list[int]) -> Tensor:
    """Gather objects, as a view if they follow one another."""
    first, last = objects[0], objects[-1]
    if last - first + 1 == len(objects):
        return tensor[first : last + 1]
    return tensor[torch.tensor(objects, device=tensor.device)]
