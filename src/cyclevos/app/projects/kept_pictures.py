"""The latest pictures and decoders of all videos that one server reads, within one bound for all of them."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Generic, NamedTuple, TypeVar

from cyclevos.media.decoded_frame import DecodedFrame
from cyclevos.media.frames import Frame

_JPEG_BYTES = 192 * 2**20
# Five frames at 4K, ten that are not converted: the one shown, those fetched ahead of it, and one to spare.
_EXACT_BYTES = 128 * 2**20
_DECODERS = 3  # at 4K, each may hold twenty pictures

T = TypeVar("T")


class Latest(Generic[T]):
    """The values that were used last, by their owner and index, up to a bound on all of them; threads may share it.

    Args:
        most: sum of the sizes that is kept; one value is kept whatever its size.
        size: of a value.

    Example:
        >>> kept = Latest(5, len)
        >>> for index in range(3):
        ...     kept.put("a video", index, b"..")
        >>> [kept.get("a video", index) for index in range(3)]
        [None, b'..', b'..']
    """

    def __init__(self, most: int, size: Callable[[T], int]) -> None:
        self._most, self._size = most, size
        self._lock = threading.Lock()
        self._values: OrderedDict[tuple[object, Hashable], T] = OrderedDict()
        self._held = 0

    def get(self, owner: object, index: Hashable) -> T | None:
        """Return a value, which counts as used; None if it is not kept."""
        with self._lock:
            if (owner, index) in self._values:
                self._values.move_to_end((owner, index))
            return self._values.get((owner, index))

    def holds(self, owner: object, index: Hashable) -> bool:
        """Return whether a value is kept."""
        return (owner, index) in self._values

    def put(self, owner: object, index: Hashable, value: T) -> None:
        """Keep a value in the place of one that is kept already; those that were used longest ago go."""
        with self._lock:
            self._drop(owner, index)
            self._values[owner, index] = value
            self._held += self._size(value)
            while self._held > self._most and len(self._values) > 1:
                self._drop(*next(iter(self._values)))

    def pop(self, owner: object, index: Hashable) -> T | None:
        """Return a value and keep it no longer; None if it was not kept."""
        with self._lock:
            return self._drop(owner, index)

    def forget(self, owner: object) -> None:
        """Keep nothing of an owner."""
        with self._lock:
            for key in [key for key in self._values if key[0] is owner]:
                self._drop(*key)

    def _drop(self, owner: object, index: Hashable) -> T | None:
        value = self._values.pop((owner, index), None)
        if value is not None:
            self._held -= self._size(value)
        return value


class Decoder(NamedTuple):
    """A decoder that stands before a frame.

    Attributes:
        frames: yields that frame and those behind it.
        next: its index.
    """

    frames: Iterator[Frame]
    next: int


def frame_bytes(frame: Frame) -> int:
    """Return the memory that a frame takes, in bytes."""
    return frame.nbytes if isinstance(frame, DecodedFrame) else frame.image.nbytes


class KeptPictures:
    """What the readers of one server keep.

    Attributes:
        jpegs: frames as they were sent, by their index and width; the width is None for the video's own.
        exact: frames as they were decoded, RGB or not converted yet.
        decoders: where they stopped; whoever uses one takes it out meanwhile.
    """

    def __init__(self) -> None:
        self.jpegs: Latest[bytes] = Latest(_JPEG_BYTES, len)
        self.exact: Latest[Frame] = Latest(_EXACT_BYTES, frame_bytes)
        self.decoders: Latest[Decoder] = Latest(_DECODERS, lambda _: 1)

    def forget(self, reader: object) -> None:
        """Keep nothing of one reader."""
        for kept in (self.jpegs, self.exact, self.decoders):
            kept.forget(reader)
