"""What a person gave of a project's frames at one moment, packed: every frame of a long video may be accepted.

Shapes: H height, W width.
"""

from __future__ import annotations

import hashlib
from collections.abc import Container, Iterable, Iterator, Mapping
from typing import NamedTuple

from cyclevos.app.projects.object_pixels import areas
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.packing import packed, unpacked


class _Packed(NamedTuple):
    data: bytes
    size: tuple[int, int]
    digest: str
    objects: tuple[int, ...]


class Annotations(Mapping[int, UInt8Array]):
    """Masks uint8 (H,W) by frame index, each unpacked when it is asked for.

    Args:
        masks: the masks with their frame indices.

    Example:
        >>> import numpy as np
        >>> given = Annotations([(3, np.zeros((2, 2), np.uint8)), (5, np.full((2, 2), 7, np.uint8))])
        >>> given.objects, given[5].tolist()
        ({3: (), 5: (7,)}, [[7, 7], [7, 7]])
    """

    def __init__(self, masks: Iterable[tuple[int, UInt8Array]] = ()) -> None:
        self._packed = {index: _pack(ids) for index, ids in masks}

    @property
    def digests(self) -> dict[int, str]:
        """A digest of each mask's pixels."""
        return {index: held.digest for index, held in self._packed.items()}

    @property
    def objects(self) -> dict[int, tuple[int, ...]]:
        """The ids of the objects that each mask shows."""
        return {index: held.objects for index, held in self._packed.items()}

    def showing(self, apart_from: Container[int]) -> Annotations:
        """Return those that show an object, without those of some frames."""
        return self._of({i: held for i, held in self._packed.items() if held.objects and i not in apart_from})

    def beside(self, masks: Mapping[int, UInt8Array]) -> Annotations:
        """Return the same with masks of other frames."""
        return self._of(self._packed | Annotations(masks.items())._packed)

    def __getitem__(self, index: int) -> UInt8Array:
        held = self._packed[index]
        return unpacked(held.data, held.size)

    def __iter__(self) -> Iterator[int]:
        return iter(self._packed)

    def __len__(self) -> int:
        return len(self._packed)

    def _of(self, held: dict[int, _Packed]) -> Annotations:
        made = Annotations()
        made._packed = held
        return made


def _pack(ids: UInt8Array) -> _Packed:
    digest = hashlib.blake2b(ids.tobytes(), digest_size=12).hexdigest()
    return _Packed(packed(ids), ids.shape, digest, tuple(areas(ids)))
