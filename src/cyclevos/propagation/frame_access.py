"""The frames of a video as the loop reads them: forwards, backwards, and one of them alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from dataclasses import replace
from typing import Any, cast

from cyclevos.errors import VideoError
from cyclevos.media.frames import Frame, frames_from_arrays
from cyclevos.media.given_images import rgb_image
from cyclevos.media.read_ahead import read_ahead
from cyclevos.media.sources import FrameSource
from cyclevos.pictures.arrays import UInt8Array

OpenFrames = FrameSource | Iterable[Any]


def length_of(frames: OpenFrames) -> int | None:
    """Return the number of frames; None if it is not known."""
    if isinstance(frames, FrameSource):
        return frames.len_hint
    return len(frames) if isinstance(frames, Sized) else None


def in_any_order(frames: OpenFrames) -> bool:
    """Return whether any frame can be read at any time, and not only once when its turn comes."""
    return frames.can_be_read_again if isinstance(frames, FrameSource) else _stored(frames) is not None


def image_at(frames: OpenFrames, index: int) -> UInt8Array | None:
    """Return the RGB image (H,W,3) of one frame; None if it does not exist, or cannot be read or not in any order."""
    if isinstance(frames, FrameSource):
        frame = next(frames.iterate(start=index), None) if frames.can_be_read_again else None
        return None if frame is None or frame.index != index else frame.image
    stored = _stored(frames)
    return None if stored is None or index >= len(stored) else rgb_image(stored[index], index)


def iterate(frames: OpenFrames, *, reverse: bool = False, start: int | None = None) -> Iterator[Frame]:
    """Read frames one by one.

    Args:
        frames: a source, or images in memory.
        reverse: from the last one, or from `start`, to the first.
        start: index of the frame to begin with, of a source only.

    Raises:
        VideoError: a frame cannot be read, or they cannot be read backwards.
    """
    if isinstance(frames, FrameSource):
        # Decode in parallel with the network. A user's own iterable is read frame by frame, on the user's thread.
        return read_ahead(frames.iterate(reverse=reverse, start=start))
    if not reverse:
        return frames_from_arrays(frames)
    stored = _stored(frames)
    if stored is None:
        raise VideoError(
            f"Going backward needs frames that can be read from the end; got a {type(frames).__name__}.",
            "Give a path, a list or an array.",
        )
    count = len(stored)
    turned = (stored[count - 1 - i] for i in range(count))
    return (replace(f, index=count - 1 - f.index) for f in frames_from_arrays(turned))


def _stored(frames: OpenFrames) -> Sequence[Any] | None:
    """Return images that can be read in any order: a sequence, an array or a tensor; None for others."""
    indexed = isinstance(frames, Sequence) or (isinstance(frames, Sized) and hasattr(frames, "shape"))
    return cast(Sequence[Any], frames) if indexed else None
