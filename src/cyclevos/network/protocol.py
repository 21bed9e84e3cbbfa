"""What a network family offers to the loop, the cycle, correction, reliability and resuming. It imports no family.

A network decides what it remembers of a frame and how it reads that; everyone else passes it on without looking in.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from cyclevos.geometry import Size, network_size
from cyclevos.network.traits import Kind, MemoryPolicy, NetworkTraits

# Shapes: B frames, K object slots, O objects present over all frames (the True cells of a (B,K) table, in row order),
# H W pixels inside the network, F frames in memory.


class Slot(NamedTuple):
    """One frame in memory.

    Attributes:
        frame: its index.
        kind: why it is a memory frame.
        serial: number of the write that put it there.
        objects: number of objects known in that frame: the first ones, because objects are only added at the end.
        given: the slots (from 0) of the objects whose masks in that frame are the user's.
    """

    frame: int
    kind: Kind
    serial: int
    objects: int
    given: tuple[int, ...] = ()

    def without(self, number: int) -> Slot | None:
        """Return the slot once an object is forgotten; None if no other object was known in its frame.

        Args:
            number: of the object, from 0; those after it move up.
        """
        left = self.objects - (number < self.objects)
        given = tuple(each - (each > number) for each in self.given if each != number)
        return self._replace(objects=left, given=given) if left else None


class FrameFeatures(Protocol):
    """What a network makes of frames without masks; opaque but for these."""

    @property
    def size(self) -> Size:
        """(H, W) of the frames, before any padding."""

    def select(self, rows: slice) -> Any:
        """Return the features of some of the frames."""


class FrameMemory(Protocol):
    """What a network makes of one frame with the masks of O objects; opaque but for these."""

    def select(self, objects: Tensor) -> Any:
        """Return the memory of some of the objects, bool (O,), best on the host."""

    def detach(self) -> Any:
        """Return the same without gradients."""

    def alone(self, apart: int = 0) -> Any:
        """Return it as the only frame to be read by :meth:`MemoryNetwork.segment`, for the cycle.

        Args:
            apart: distance from the frame that is segmented, in frames.
        """


class Memory(Protocol):
    """What a network remembers of several frames, each in a place that the memory bank has chosen."""

    def write(self, place: int, memory: Any, *, again: bool = False) -> None:
        """Store a :class:`FrameMemory` in a place, from 0 to the number held; a write that raises changes nothing.

        The number of objects may have grown since the last write; new objects are at the end.

        Args:
            place: of the frame.
            memory: of the frame.
            again: the place holds the same frame with other masks, which is to leave no trace.
        """

    def read(self, slots: Sequence[Slot], now: int) -> Any:
        """Return what :meth:`MemoryNetwork.segment` reads.

        Args:
            slots: what is in each place.
            now: index of the frame that is to be segmented.
        """

    def forget(self, number: int, slots: Sequence[Slot]) -> None:
        """Remove an object from all frames; those after it move up by one.

        Frames in which no other object was known go, see :meth:`Slot.without`, and later places move up too.

        Args:
            number: of the object, from 0.
            slots: what is in each place.
        """

    def snapshot(self, slots: Sequence[Slot]) -> dict[str, Tensor]:
        """Return what is held, as copied tensors on the host by name."""

    def restore(self, snapshot: Mapping[str, Tensor], slots: Sequence[Slot], device: torch.device) -> None:
        """Replace what is held with a snapshot.

        Raises:
            KeyError, ValueError: the tensors are not a snapshot of this kind of memory.
        """


State = Mapping[str, Tensor]
"""What a network carries from frame to frame beside its memory: tensors by name, with a row (K,...) for each object."""


class Segmentation(NamedTuple):
    """A network's answer for one frame or a batch.

    Attributes:
        logits: (B,K+1,H,W) float32; their softmax over K+1 are the probabilities, channel 0 the background.
        state: what the network wants back for this frame in :meth:`MemoryNetwork.encode_memory` and
            :meth:`MemoryNetwork.carry`; None for networks without a state.
    """

    logits: Tensor
    state: State | None = None


class MemoryNetwork(Protocol):
    """Encodes frames, remembers them with their masks, and segments frames from what it remembers.

    A class that inherits from this and from ``torch.nn.Module`` implements the abstract methods; the others have
    defaults. ``B`` is 1 everywhere but in :meth:`encode_query`, unless a family trains.

    Attributes:
        calibration: file of the reliability predictor that was fitted to the weights; None = there is none. It is set
            when weights are loaded.
    """

    calibration: Path | None = None

    @property
    @abstractmethod
    def traits(self) -> NetworkTraits:
        """Default size and memory policy."""

    @abstractmethod
    def encode_query(self, frames: Tensor) -> Any:
        """Encode RGB frames (B,3,H,W) in [0, 1], of the network's dtype, into :class:`FrameFeatures`."""

    @abstractmethod
    def prepare_memory(self, frames: Tensor, query: Any = None) -> Any:
        """Return what :meth:`encode_memory` needs of frames (B,3,H,W) and is the same for all their masks.

        Args:
            frames: RGB (B,3,H,W) in [0, 1].
            query: their features, if they are encoded already.
        """

    @abstractmethod
    def encode_memory(
        self,
        prepared: Any,
        probabilities: Tensor,
        present: Tensor,
        said: Segmentation | None = None,
        own: Tensor | None = None,
    ) -> Any:
        """Encode frames with their soft masks, once per present object, into a :class:`FrameMemory`.

        Differentiable with respect to the masks.

        Args:
            prepared: from :meth:`prepare_memory`.
            probabilities: soft masks (B,K+1,H,W), channel 0 the background; summing to 1, except during corrections.
            present: bool (B,K) on the host, the slots that hold an object to remember.
            said: the network's own answer for this frame, if there is one; it may have fewer slots than K.
            own: bool (B,K) on the host, the objects whose masks are exactly what the network answered; for these it
                may remember its answer instead of the probabilities. None = no object.
        """

    @abstractmethod
    def segment(self, query: Any, memory: Any, present: Tensor, state: State | None = None) -> Segmentation:
        """Segment frames from memory; differentiable with respect to the memory.

        Args:
            query: features of B frames.
            memory: from :meth:`Memory.read` or :meth:`FrameMemory.alone`, of the O objects present.
            present: bool (B,K) on the host.
            state: from :meth:`carry` after the frame before; None in the cycle and before the first frame.
        """

    @abstractmethod
    def new_memory(self, policy: MemoryPolicy) -> Memory:
        """Return an empty memory for a video that is segmented with this policy."""

    @abstractmethod
    def parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the parameters; the first one's device and dtype are the network's."""

    def frame_size(self, source: Size, shorter_side: int | None) -> Size:
        """Return the size (H, W) inside the network of frames of a size (H, W).

        Args:
            source: of the frames in pixels.
            shorter_side: the size that was asked for; None = the frames' own.

        Raises:
            ConfigError: the network cannot work at that size.
        """
        return network_size(source, shorter_side)

    def settle(self, probabilities: Tensor) -> Tensor:
        """Return the masks of an annotated frame (K+1,H,W), predicted objects and given ones, as the network says them.

        Most networks take them as they are.
        """
        return probabilities

    def carry(self, said: Segmentation | None, probabilities: Tensor, memory: Any | None) -> State | None:
        """Return the state for the next frame.

        Args:
            said: the network's answer for this frame; None if no object was known before it.
            probabilities: the masks that are shown for it (1,K+1,H,W).
            memory: what was remembered of it, if it is a memory frame; else None.
        """
        return None
