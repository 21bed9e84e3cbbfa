"""What every format is read into and written from: the masks of one video, one frame at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.pictures.arrays import UInt8Array

# Shapes: H height, W width. Ids: 0 background, 1..255 objects, gaps allowed.


@dataclass(frozen=True, eq=False)
class MaskFrame:
    """The masks of one frame.

    Attributes:
        index: number of the frame, 0-based.
        name: of the frame, without ending.
        ids: object ids, uint8 (H, W).
    """

    index: int
    name: str
    ids: UInt8Array


@dataclass(frozen=True)
class MaskTrack:
    """The masks of one video.

    Attributes:
        name: of the video, may be empty.
        frames: gives all frames in time order, as often as asked.
        object_names: of the objects that have one, by id.
        palette: 768 bytes of RGB for indexed PNGs, None where there is none.
    """

    name: str
    frames: Callable[[], Iterator[MaskFrame]]
    object_names: Mapping[int, str] = field(default_factory=dict)
    palette: bytes | None = None


def merge_objects(
    masks: Sequence[tuple[int, npt.NDArray[np.bool_]]], size: tuple[int, int], where: str, overlap: str = "error"
) -> UInt8Array:
    """Lay masks of single objects over each other.

    Args:
        masks: object ids with masks (H, W).
        size: (H, W).
        where: what they belong to, for the error.
        overlap: who gets a pixel that two objects claim: ``first`` or ``last``; ``error`` = nobody may.

    Raises:
        MaskError: objects overlap and may not.
    """
    ids = np.zeros(size, np.uint8)
    for object_id, mask in masks:
        taken = mask & (ids > 0)
        if overlap == "error" and taken.any():
            other = int(ids[taken][0])
            raise MaskError(
                f"{where}: objects {other} and {object_id} overlap in {int(taken.sum())} pixels, and a mask of ids "
                "holds one object per pixel. Say who wins: cyclevos convert --overlap first, or --overlap last."
            )
        ids[mask & ~taken if overlap == "first" else mask] = object_id
    return ids
