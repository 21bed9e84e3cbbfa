"""What Cutie makes of frames: query features, mask-independent memory features, the and the memory of a frame."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from cyclevos.geometry import Size

# Shapes: B frames, K object slots, O objects of a frame, Ck Cv key and value channels, C channels, Q object queries,
# H W pixels, H' W' after padding, h w = H'/16 W'/16 cells, N memory cells.


class CutieFeatures(NamedTuple):
    """Features of frames to be segmented.

    Attributes:
        f16, f8, f4: the trunk's features (B,C,.,.) at strides 16, 8 and 4.
        pixels: (B,C,h,w), the pixel features that are fused with what is read from memory.
        key: (B,Ck,h,w), float32 or wider; it is also the memory key of the frame.
        shrinkage: (B,1,h,w) at least 1, the sharpness of each cell as a memory cell.
        selection: (B,Ck,h,w) in [0, 1], the weight of each channel when a cell queries the memory.
        size: (H, W) of the frames before padding.
    """

    f16: Tensor
    f8: Tensor
    f4: Tensor
    pixels: Tensor
    key: Tensor
    shrinkage: Tensor
    selection: Tensor
    size: Size

    def select(self, rows: slice) -> CutieFeatures:
        """Return the features of some of the frames."""
        maps = (self.f16, self.f8, self.f4, self.pixels, self.key, self.shrinkage, self.selection)
        f16, f8, f4, pixels, key, shrinkage, selection = (each[rows] for each in maps)
        return CutieFeatures(f16, f8, f4, pixels, key, shrinkage, selection, self.size)


class CutieInput(NamedTuple):
    """Mask-independent memory features of frames.

    Attributes:
        images: (B,3,H',W'), padded and normalised.
        pixels, key, shrinkage, size: see :class:`CutieFeatures`.
    """

    images: Tensor
    pixels: Tensor
    key: Tensor
    shrinkage: Tensor
    size: Size

    def select(self, rows: slice) -> CutieInput:
        """Return the features of some of the frames."""
        images, pixels, key, shrinkage = (each[rows] for each in (self.images, self.pixels, self.key, self.shrinkage))
        return CutieInput(images, pixels, key, shrinkage, self.size)


class CutieFrame(NamedTuple):
    """The memory of one frame.

    Attributes:
        key: (1,Ck,h,w).
        shrinkage: (1,1,h,w).
        value: (O,Cv,h,w).
        summary: (O,Q,C+1), the sum over the frame of each object's features for each query, and its weight.
    """

    key: Tensor
    shrinkage: Tensor
    value: Tensor
    summary: Tensor

    def select(self, objects: Tensor) -> CutieFrame:
        """Return the memory of some of the objects, bool (O,), best on the host."""
        if bool(objects.all()):
            return self
        return self._replace(value=self.value[objects], summary=self.summary[objects])

    def detach(self) -> CutieFrame:
        """Return the same without gradients."""
        return CutieFrame(*(each.detach() for each in self))

    def alone(self, apart: int = 0) -> CutieReading:
        """Return the cells of this frame alone, for the cycle."""
        bucket = Bucket(slice(0, len(self.value)), None, self.value.flatten(2))
        return CutieReading(self.key.flatten(2), self.shrinkage.flatten(2), (bucket,), self.summary)


class Bucket(NamedTuple):
    """Objects that were first seen in the same frame: they read the same memory cells and see only each other.

    Attributes:
        objects: their slots.
        places: the memory frames that know them; None = all.
        value: (O,Cv,N) of those frames.
    """

    objects: slice
    places: tuple[int, ...] | None
    value: Tensor


class CutieReading(NamedTuple):
    """What the network reads to segment a frame.

    Attributes:
        key: (1,Ck,N) of all memory frames, one after the other.
        shrinkage: (1,1,N).
        buckets: the objects, in order.
        summary: (O,Q,C+1), see :class:`CutieFrame`, summed over frames.
        updates: the sensory memory is updated in the frame that reads this.
    """

    key: Tensor
    shrinkage: Tensor
    buckets: tuple[Bucket, ...]
    summary: Tensor
    updates: bool = False
