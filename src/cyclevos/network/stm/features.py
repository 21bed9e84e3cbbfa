"""The features that a network computes from frames: query, mask-independent memory, and memory features."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

# Shapes: B frames, O objects present over all frames, Ck Cv key and value channels, H W pixels,
# h w cells at stride 16, N memory cells.


class QueryFeatures(NamedTuple):
    """Features of a frame to be segmented: the key that reads the memory, and the maps that the decoder needs.

    Attributes:
        key: (B,Ck,h,w).
        prepared: the decoder's object-independent maps at strides 16, 8, 4.
        size: (H, W) of the frame before padding.
        shallow: features at stride 4 from which the memory encoder starts, (B,C,H/4,W/4), if the network shares its
            encoder; else None.
    """

    key: Tensor
    prepared: tuple[Tensor, Tensor, Tensor]
    size: tuple[int, int]
    shallow: Tensor | None = None

    def select(self, rows: slice | Tensor) -> QueryFeatures:
        """Return the features of some of the frames."""
        if isinstance(rows, Tensor) and torch.equal(rows, torch.arange(len(self.key), device=rows.device)):
            return self  # one object per frame: nothing to gather
        a, b, c = self.prepared
        if isinstance(rows, Tensor) and len(self.key) == 1:  # every object is of the one frame: a view is enough
            n = len(rows)
            maps = a.expand(n, -1, -1, -1), b.expand(n, -1, -1, -1), c.expand(n, -1, -1, -1)
            return QueryFeatures(self.key.expand(n, -1, -1, -1), maps, self.size)
        shallow = None if self.shallow is None else self.shallow[rows]
        return QueryFeatures(self.key[rows], (a[rows], b[rows], c[rows]), self.size, shallow)


class MemoryInput(NamedTuple):
    """Mask-independent memory features of frames.

    Attributes:
        images: (B,C,h',w'), the input of the memory encoder.
        key: (B,Ck,h,w), the memory key, if the network shares its encoder; else None.
    """

    images: Tensor
    key: Tensor | None = None

    def select(self, rows: slice) -> MemoryInput:
        """Return the features of some of the frames."""
        return MemoryInput(self.images[rows], None if self.key is None else self.key[rows])


class MemoryFeatures(NamedTuple):
    """Memory features of each object in one frame.

    Attributes:
        key: (O,Ck,h,w).
        value: (O,Cv,h,w).
    """

    key: Tensor
    value: Tensor

    def select(self, objects: Tensor) -> MemoryFeatures:
        """Return the features of some of the objects, bool (O,), best on the host."""
        if bool(objects.all()):
            return self
        return MemoryFeatures(self.key[objects], self.value[objects])

    def detach(self) -> MemoryFeatures:
        """Return the same without gradients."""
        return MemoryFeatures(self.key.detach(), self.value.detach())

    def alone(self, apart: int = 0) -> MemoryCells:
        """Return the cells of this frame alone, for the cycle."""
        return MemoryCells(self.key.flatten(2), self.value.flatten(2))


class MemoryCells(NamedTuple):
    """The cells of all memory frames, as the network reads them.

    Attributes:
        key: (O,Ck,N).
        value: (O,Cv,N).
        known: bool (O,N), the cells each object may read; None = all.
    """

    key: Tensor
    value: Tensor
    known: Tensor | None = None
