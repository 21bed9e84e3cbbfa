"""Masks of a whole video in memory, compressed: a result of thousands of frames takes a hundredth of its pixels."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import replace

import numpy as np

from cyclevos.labels import IGNORE
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_files import MaskImage, deciding_255

_NOTHING: UInt8Array = np.zeros((0, 0), np.uint8)


class PackedMasks(MutableMapping[int, MaskImage]):
    """Masks by frame index; each is unpacked anew whenever it is asked for.

    Example:
        >>> masks = PackedMasks()
        >>> masks[3] = MaskImage(np.ones((2, 2), np.uint8))
        >>> masks[3].object_ids
        (1,)
    """

    def __init__(self) -> None:
        self._held: dict[int, tuple[MaskImage, tuple[int, int], bytes]] = {}

    def __getitem__(self, index: int) -> MaskImage:
        """Return the mask of a frame."""
        mask, size, data = self._held[index]
        ids: UInt8Array = np.frombuffer(bytearray(zlib.decompress(data)), np.uint8).reshape(size)
        return replace(mask, ids=ids)

    def __setitem__(self, index: int, mask: MaskImage) -> None:
        """Hold the mask of a frame."""
        data = zlib.compress(np.ascontiguousarray(mask.ids).tobytes(), 1)
        self._held[index] = replace(mask, ids=_NOTHING), mask.size, data

    def at(self, places: Mapping[int, int]) -> PackedMasks:
        """Return some of these masks at other indices, without unpacking them.

        Args:
            places: the index here by the new one.
        """
        moved = PackedMasks()
        moved._held = {index: self._held[place] for index, place in places.items()}
        return moved

    def __delitem__(self, index: int) -> None:
        """Let go of a frame's mask."""
        del self._held[index]

    def __iter__(self) -> Iterator[int]:
        """Return the frames' indices, in ascending order."""
        return iter(sorted(self._held))

    def __len__(self) -> int:
        return len(self._held)


def decided(masks: Iterable[tuple[int, MaskImage]], keep_255: bool) -> PackedMasks:
    """Hold masks, read one after the other, once it is decided for all together what 255 means.

    Args:
        masks: with the indices of their frames.
        keep_255: 255 is an id like any other.
    """
    held, labels = PackedMasks(), set[int]()
    for index, mask in masks:
        labels.update(mask.object_ids)
        held[index] = mask
    if IGNORE in labels:
        decide = deciding_255(labels, keep_255=keep_255)
        for index, mask in held.items():
            held[index] = decide(mask)
    return held
