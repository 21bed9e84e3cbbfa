"""Masks of a whole video, compressed to a hundredth of their pixels; many of them lie on disk, not in memory."""

from __future__ import annotations

import tempfile
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cyclevos.files.atomic import output_errors
from cyclevos.labels import IGNORE
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_files import MaskImage, deciding_255
from cyclevos.pictures.packing import packed, unpacked

_NOTHING: UInt8Array = np.zeros((0, 0), np.uint8)
_IN_MEMORY = 16 * 2**20  # bytes


class PackedMasks(MutableMapping[int, MaskImage]):
    """Masks by frame index; each is unpacked anew whenever it is asked for.

    Example:
        >>> masks = PackedMasks()
        >>> masks[3] = MaskImage(np.ones((2, 2), np.uint8))
        >>> masks[3].object_ids
        (1,)
    """

    def __init__(self) -> None:
        self._held: dict[int, _Held] = {}
        self._spool = _Spool()

    def __getitem__(self, index: int) -> MaskImage:
        """Return the mask of a frame."""
        mask, size, begin, end = self._held[index]
        return replace(mask, ids=unpacked(self._spool.read(begin, end), size))

    def __setitem__(self, index: int, mask: MaskImage) -> None:
        """Hold the mask of a frame.

        Raises:
            OutputError: it has to lie on disk, and the system's folder of temporary files takes no more.
        """
        data = packed(mask.ids)
        begin = self._spool.add(data)
        self._held[index] = _Held(replace(mask, ids=_NOTHING), mask.size, begin, begin + len(data))

    def at(self, places: Mapping[int, int]) -> PackedMasks:
        """Return some of these masks at other indices, without unpacking them.

        Args:
            places: the index here by the new one.
        """
        moved = PackedMasks()
        moved._spool = self._spool
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


class _Held(NamedTuple):
    """A mask without its pixels, its size, and where these lie in the spool."""

    mask: MaskImage
    size: tuple[int, int]
    begin: int
    end: int


class _Spool:
    """Bytes that are added and read: in memory up to a bound, then in a file without a name.

    The system removes such a file when the process ends, even by a kill.
    """

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115 - closed with this object
        weakref.finalize(self, self._file.close)
        self._lock = threading.Lock()
        self._end = 0

    def add(self, data: bytes) -> int:
        """Add bytes and return where they begin."""
        with self._lock, output_errors(Path(tempfile.gettempdir()) / "masks"):
            begin = self._file.seek(self._end)
            self._file.write(data)
            self._end = begin + len(data)
        return begin

    def read(self, begin: int, end: int) -> bytes:
        """Return bytes that were added."""
        with self._lock:
            self._file.seek(begin)
            return self._file.read(end - begin)


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
