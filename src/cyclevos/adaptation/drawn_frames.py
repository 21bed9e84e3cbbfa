"""The frames that an adaptation looks at, read from a video of any length: those alone, and no others for long."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from cyclevos.errors import VideoError
from cyclevos.media.sources import FrameSource
from cyclevos.propagation.frame_access import OpenFrames, image_at, in_any_order, iterate, length_of
from cyclevos.words import counted

logger = logging.getLogger(__name__)

_SPARSE = 30  # frames between two that are needed, from which on each is sought alone rather than all read


def reachable_frames(frames: OpenFrames, annotated: Sequence[int], gap: int) -> int:
    """Return the number of frames; where it is not known, of those that a mask can be carried to.

    Args:
        frames: of the video.
        annotated: indices of the annotated frames.
        gap: see :class:`~cyclevos.adaptation.settings.Adaptation`.

    Raises:
        VideoError: they cannot be read in any order.
    """
    if not in_any_order(frames):
        raise VideoError(
            f"A network is adapted on frames in any order; got a {type(frames).__name__}, which is read once.",
            "Give a path, a list or an array.",
        )
    known = length_of(frames)
    if known is not None or not annotated:
        return known or 0
    count = max(annotated)
    try:
        for frame in islice(iterate(frames, start=count), 2 * gap + 1):
            count = frame.index + 1
    except VideoError:  # whoever segments the video says so; until there it can be adapted to
        pass
    return count


def images_at(frames: OpenFrames, wanted: Sequence[int]) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """Yield some frames' images with their indices; those that cannot be read are left out, with a warning.

    Args:
        frames: that can be read in any order.
        wanted: indices, ascending.
    """
    left = list(wanted)
    if left and isinstance(frames, FrameSource) and left[-1] - left[0] <= _SPARSE * len(left):
        try:
            for frame in iterate(frames, start=left[0]):
                if left and frame.index == left[0]:
                    yield left.pop(0), frame.image
                if not left:
                    return
        except VideoError:  # perhaps of a frame between two that are needed
            pass
    problems = []
    for index in left:
        try:
            image = image_at(frames, index)
        except VideoError as error:
            problems.append(error.problem)
            continue
        if image is not None:
            yield index, image
    if problems:
        logger.warning(
            "The adaptation leaves out %s, which cannot be read: %s", counted(len(problems), "frame"), problems[0]
        )
