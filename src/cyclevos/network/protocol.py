"""The methods that a memory network needs for propagation, correction and training."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn

from cyclevos.network.features import MemoryFeatures, MemoryInput, QueryFeatures
from cyclevos.network.spec import NetworkSpec

__all__ = ["MemoryFeatures", "MemoryInput", "MemoryNetwork", "QueryFeatures"]


class MemoryNetwork(Protocol):
    """Encodes frames as queries and as memories, and segments a query from a memory.

    Shapes and meaning are those of :class:`cyclevos.network.stm.SpaceTimeMemoryNetwork`.
    """

    spec: NetworkSpec

    def encode_query(self, frames: Tensor) -> QueryFeatures:
        """Encode RGB frames (B,3,H,W) in [0, 1] that are to be segmented."""

    def prepare_memory(self, frames: Tensor, query: QueryFeatures | None = None) -> MemoryInput:
        """Encode the mask-independent memory features of RGB frames (B,3,H,W) in [0, 1]."""

    def encode_memory(self, prepared: MemoryInput, probabilities: Tensor, present: Tensor) -> MemoryFeatures:
        """Encode prepared frames with their soft masks (B,K+1,H,W), once per present object (B,K)."""

    def segment(
        self,
        query: QueryFeatures,
        memory_key: Tensor,
        memory_value: Tensor,
        present: Tensor,
        known: Tensor | None = None,
    ) -> Tensor:
        """Segment B frames from memory cells (O,C,N) into logits (B,K+1,H,W)."""

    def parameters(self) -> Iterator[nn.Parameter]:
        """Iterate over the parameters; the first one's device and dtype are the network's."""
