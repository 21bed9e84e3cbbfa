"""The finest skips of frames, prepared only where an object may be: on a CPU, up to a tenth of a frame's time less.

In float32, a part may differ from the whole in its last digits. So which of the two is used must follow from what is
asked alone, not from what was asked before: a run that continues gives the masks of an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor
from torch.nn import functional as F

# Shapes: C channels of the trunk, D of the decoder, h w cells at stride 8.

_HALO = 3  # cells of stride 4 around a part that its preparation, three convolutions of 3x3, sees


@dataclass
class FrameSkip:
    """The finest skip of one frame; the whole of it is kept once prepared, parts are not.

    Attributes:
        raw: the trunk's features at stride 4, (1,C,2h,2w), without gradients.
        prepare: maps features (1,C,H,W) to the decoder's (1,D,H,W), and sees `_HALO` cells to either side.
    """

    raw: Tensor
    prepare: Callable[[Tensor], Tensor]
    _coarse: Tensor | None = field(default=None, init=False)
    _whole: Tensor | None = field(default=None, init=False)

    def coarse(self) -> Tensor:
        """Return what means of 2x2 cells become, at stride 8: (1,D,h,w)."""
        if self._coarse is None:
            self._coarse = self._without_gradients(F.avg_pool2d(self.raw, 2))
        return self._coarse

    def whole(self) -> Tensor:
        """Return the whole frame, (1,D,2h,2w)."""
        if self._whole is None:
            self._whole = self._without_gradients(self.raw)
        return self._whole

    def part(self, rows: slice, columns: slice) -> Tensor:
        """Prepare some rows and columns of :meth:`whole`."""
        top, left = max(0, rows.start - _HALO), max(0, columns.start - _HALO)
        around = self.raw[..., top : rows.stop + _HALO, left : columns.stop + _HALO]
        prepared = self._without_gradients(around)
        return prepared[..., rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]

    def _without_gradients(self, features: Tensor) -> Tensor:
        with torch.no_grad():
            return self.prepare(features.contiguous(memory_format=torch.channels_last))


class FrameSkips:
    """The finest skips of frames, or of the frames of objects; objects of one frame share its skip.

    Args:
        frames: one for each frame or object.
    """

    def __init__(self, frames: Sequence[FrameSkip]) -> None:
        self.frames = tuple(frames)

    @classmethod
    def of(cls, raw: Tensor, prepare: Callable[[Tensor], Tensor]) -> FrameSkips:
        """Hold the features (B,C,2h,2w) of B frames; see :class:`FrameSkip`."""
        return cls([FrameSkip(frame[None], prepare) for frame in raw])

    def select(self, rows: slice | Tensor) -> FrameSkips:
        """Return those of some of the frames, or of the frame (N,) of each of N objects."""
        if isinstance(rows, slice):
            return FrameSkips(self.frames[rows])
        return FrameSkips([self.frames[row] for row in rows.tolist()])

    def whole(self) -> Tensor:
        """Return all of them, prepared everywhere: (B,D,2h,2w)."""
        return torch.cat([frame.whole() for frame in self.frames])
