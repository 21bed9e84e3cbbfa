"""The masks that a Python caller gives for a video, of any kind, read as object ids by frame index.

Shapes: N objects, H height, W width, in pixels.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.run_length import is_code
from cyclevos.exchange.given.given_masks import GivenMasks, read_masks, read_reaching_masks
from cyclevos.exchange.given.mask_reader import MaskReader, is_whole
from cyclevos.exchange.given.reach import NothingToCarryError
from cyclevos.labels import IGNORE, marks_one_given_object
from cyclevos.media.sources import FrameSource
from cyclevos.pictures.mask_files import MaskImage, given_objects
from cyclevos.words import counted

logger = logging.getLogger(__name__)


def read_video_masks(
    masks: Any,
    source: FrameSource | None = None,
    *,
    direction: Literal["forward", "backward", "both"] = "forward",
    frame_count: int | None = None,
) -> GivenMasks:
    """Read all masks that a caller gives for one video.

    Args:
        masks: a mask for frame 0, or masks by frame index, each of a kind that
            :meth:`~cyclevos.exchange.given.mask_reader.MaskReader.read` accepts; or the
            path of a file or folder of masks, as ``cyclevos segment --masks`` takes it.
        source: the frames, if they are files; None = they are images in memory.
        direction: in which the masks will be propagated.
        frame_count: number of images in memory; None if unknown.

    Returns:
        Masks by frame index, in ascending order.

    Raises:
        MaskError: a key is not a frame index, a mask cannot be read, or no mask shows an object.
    """
    if isinstance(masks, GivenMasks):
        return masks
    if isinstance(masks, str | os.PathLike):
        path = Path(masks)
        given = (
            read_masks(path, None, frame_count=frame_count)
            if source is None
            else read_reaching_masks(path, source, direction)
        )
        check_shown(given)
        return given
    reader = MaskReader(None if source is None else source.size)
    by_frame = _by_frame(masks)
    read = {index: reader.read(by_frame[index], index) for index in sorted(by_frame)}
    check_shown(read)
    decided = decided_255(list(read.values()), from_files=reader.has_files)
    return GivenMasks(dict(zip(read, decided, strict=True)), names=reader.names)


def check_masks(masks: Mapping[int, Any]) -> dict[int, npt.NDArray[np.uint8]]:
    """Check masks whose 255, if there is one, has been decided, and return them as uint8 arrays.

    Args:
        masks: integers or bool (H,W) by frame index.

    Raises:
        MaskError: an index or a mask is of the wrong kind, or no mask shows an object.
    """
    reader = MaskReader()
    read = {int(index): reader.read(mask, index) for index, mask in _by_frame(masks).items()}
    check_shown(read)
    return {index: mask.ids for index, mask in read.items()}


def check_shown(masks: Mapping[int, MaskImage]) -> None:
    """Check that a mask shows an object.

    Raises:
        NothingToCarryError: none does.
    """
    if not any(mask.ids.any() for mask in masks.values()):
        problem = "No mask shows an object: every pixel is background 0."
        raise NothingToCarryError(problem, "Give a mask with object ids 1..255.")


def _by_frame(masks: Any) -> dict[int, Any]:
    """Return masks by frame index: what has no frame indices belongs to frame 0."""
    if not isinstance(masks, Mapping) or is_code(masks):
        return {0: masks}
    if masks and all(isinstance(key, str) for key in masks) and not any(_is_number(key) for key in masks):
        return {0: masks}
    for index in masks:
        if not is_whole(index) or index < 0:
            raise MaskError(
                f"{index!r} is not a frame index: expected integers from 0, as the keys of a dict of masks.",
                'Give masks by frame index, {0: mask}, or by name, {"car": mask}.',
            )
    return {int(index): mask for index, mask in masks.items()}


def _is_number(name: str) -> bool:
    """Return whether a name is a number, so that a frame was meant and not an object."""
    return name.strip().isdecimal()


def decided_255(masks: Sequence[MaskImage], *, from_files: bool) -> list[MaskImage]:
    """Decide what 255 means: object 1 if it is the only object, as the commands do.

    Beside other ids it marks unknown pixels in pictures and files. Arrays may have 255 objects, so there it is one, and
    the user is warned.

    Args:
        masks: all masks of a video, or those known so far.
        from_files: some of them are pictures or files.
    """
    shown = {object_id for mask in masks for object_id in mask.object_ids}
    one_object = marks_one_given_object(shown)
    if IGNORE in shown and not one_object:
        count = counted(sum(int(np.count_nonzero(mask.ids == IGNORE)) for mask in masks), "pixel")
        logger.warning(
            "The masks hold 255 beside other ids (%s). %s",
            count,
            "In pictures and files it marks unknown pixels, which start no object; give an array of ids to make it one."
            if from_files
            else "It is segmented as object 255. Where it marks unknown pixels, as in files of PASCAL VOC and DAVIS, "
            "set them to 0.",
        )
    return given_objects(masks, keep_255=not from_files and not one_object)
