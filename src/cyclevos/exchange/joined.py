"""Finished masks together with the frames and probabilities that they belong to, as a writer of results takes them.

Shapes: H height, W width, in pixels; K objects.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.numpy_files import StoredArray, stored_arrays
from cyclevos.exchange.track import MaskFrame, MaskTrack, as_result
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import Frame
from cyclevos.media.sources import FrameSource
from cyclevos.naming import size_text
from cyclevos.words import first_line

_MOST_OBJECTS = 255


@dataclass(frozen=True)
class Footage:
    """What formats are made from beside masks.

    Attributes:
        source: the frames; None where they are not at hand.
        probabilities: folder of the probabilities by frame name, as ``--save probabilities`` writes them; None where
            they were not kept.
    """

    source: FrameSource | None = None
    probabilities: Path | None = None


NO_FOOTAGE = Footage()
"""Masks alone."""


def joined(track: MaskTrack, footage: Footage = NO_FOOTAGE) -> Iterator[FrameResult]:
    """Yield the result of every frame, in time order; memory holds one.

    The first mask belongs to the first frame, and so on. Without frames, the results have black frames without times.

    Args:
        track: the masks.
        footage: their frames and probabilities.

    Raises:
        MaskError: there are more frames than masks or fewer, one has another size than the other, or probabilities are
            missing or broken.
        VideoError: a frame cannot be decoded.
    """
    results = map(as_result, track.frames()) if footage.source is None else _with_frames(track, footage.source)
    for result in results:
        yield result if footage.probabilities is None else _softened(result, footage.probabilities)


def _with_frames(track: MaskTrack, source: FrameSource) -> Iterator[FrameResult]:
    masks, frames = track.frames(), iter(source)
    while True:
        mask, frame = next(masks, None), next(frames, None)
        if mask is None and frame is None:
            return
        if mask is None or frame is None:
            raise _too_few(mask, frame, source)
        if mask.ids.shape != frame.size:
            raise MaskError(
                f"Mask {mask.name} is {size_text(mask.ids.shape)}, but frame {frame.name} of {source.path} is "
                f"{size_text(frame.size)}.",
                "Give the frames that the masks were made for.",
            )
        # Masks keep their names, by which their other files are found.
        yield FrameResult(replace(frame, name=mask.name), mask.ids)


def _too_few(mask: MaskFrame | None, frame: Frame | None, source: FrameSource) -> MaskError:
    if mask is not None:
        return MaskError(
            f"{source.path} has no frame for mask {mask.name}: it ends before the masks do.",
            "Give the frames that the masks were made for.",
        )
    name = "" if frame is None else frame.name
    return MaskError(
        f"Frame {name} of {source.path} has no mask: the masks end before it.",
        "Give a mask for every frame; where the run was interrupted, let it come to its end first.",
    )


def _softened(result: FrameResult, folder: Path) -> FrameResult:
    """Add the probabilities of a frame.

    Raises:
        MaskError: they are missing, broken, or not those of this frame.
    """
    path = folder / f"{result.name}.npz"
    try:
        stored = stored_arrays(path)
        object_ids = _array(stored, "object_ids", "i", (_MOST_OBJECTS,))
        probabilities = _array(stored, "probabilities", "f", (1 + len(object_ids), *result.frame.size))
        softened = replace(result, probabilities=probabilities, object_ids=[int(i) for i in object_ids])
        softened.channel_ids()
    except (MaskError, KeyError, ValueError) as error:
        raise MaskError(
            f"{path} does not hold the probabilities of frame {result.name} ({first_line(error)}).",
            "Run cyclevos segment with --save masks,probabilities again.",
        ) from error
    return softened


def _array(stored: Mapping[str, StoredArray], name: str, kind: str, most: tuple[int, ...]) -> npt.NDArray[Any]:
    """Read an array whose header claims a kind of number and no more of them than expected.

    Raises:
        ValueError: it claims something else.
    """
    array = stored[name]
    fits = len(array.shape) == len(most) and all(n <= limit for n, limit in zip(array.shape, most, strict=True))
    if array.dtype.kind != kind or not fits:
        raise ValueError(f"{name} is {array.dtype} of shape {array.shape}, expected at most {most}")
    return array.whole(most=math.prod(most) * array.dtype.itemsize)
