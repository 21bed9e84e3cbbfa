"""Masks made from prompts for the frames of a video: beforehand where frames can be read in any order, else on the way.

Shapes: H W pixels.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyclevos.errors import PromptError
from cyclevos.media.frames import Frame
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.prompts.given import frame_mask, without_pixels
from cyclevos.prompts.loading import load_prompter
from cyclevos.prompts.prompter import Prompter
from cyclevos.prompts.prompts import Prompts, VideoPrompts
from cyclevos.prompts.python_prompts import read_video_prompts
from cyclevos.propagation.frame_access import OpenFrames, image_at, in_any_order, iterate, length_of

logger = logging.getLogger(__name__)

ImageAt = Callable[[int], UInt8Array]
"""Returns the RGB image (H,W,3) of a frame."""
Pairs = Iterator[tuple[Frame, NDArray[np.uint8] | None]]
"""Frames with their masks."""


class Asked(NamedTuple):
    """What becomes of a video's prompts.

    Attributes:
        masks: made from them already, by frame index.
        object_ids: of all objects that have prompts.
        later: pairs frames with the masks that are made as they come past; None if all are made.
    """

    masks: Mapping[int, UInt8Array]
    object_ids: frozenset[int] = frozenset()
    later: Callable[[Pairs], Pairs] | None = None


def ask(
    prompts: Any,
    prompter: Prompter | str | Path,
    frames: OpenFrames,
    given: Mapping[int, NDArray[np.uint8]],
    direction: str,
) -> Asked:
    """Make the masks of a video's prompts: now, if frames can be read in any order, else as they come past.

    Args:
        prompts: see :func:`~cyclevos.prompts.python_prompts.read_video_prompts`.
        prompter: a prompter, or its name or file.
        frames: of the video.
        given: masks that frames have already, by frame index.
        direction: in which the masks will be propagated.

    Raises:
        PromptError: a prompt cannot be used, or nothing was found anywhere.
        MaskError: a mask has another size than its frame.
        VideoError: a frame cannot be read, or the frames are to be read backwards and cannot.
        WeightsError: the prompter that is named cannot be loaded.
    """
    read = read_video_prompts(prompts)
    count = length_of(frames)
    if count is not None and max(read) >= count:
        raise beyond_the_end({index for index in read if index >= count}, count - 1)
    object_ids = frozenset(object_id for objects in read.values() for object_id in objects)
    later = not in_any_order(frames)
    if later and direction != "forward":
        iterate(frames, reverse=True)  # says why not
    asked = load_prompter(prompter) if isinstance(prompter, str | Path) else prompter
    if later:
        return Asked({}, object_ids, lambda pairs: on_the_way(pairs, read, asked))
    masks = prompted_masks(asked, read, lambda index: _image(frames, index), given)
    warn_of_empty(read, masks)
    check_found({**given, **masks})
    return Asked(masks, object_ids)


def _image(frames: OpenFrames, index: int) -> UInt8Array:
    image = image_at(frames, index)
    if image is None:  # of a video whose length was not known
        raise PromptError(
            f"There is no frame {index} for the prompts: the video ends before it.", "Check their frame numbers."
        )
    return image


def prompted_masks(
    prompter: Prompter, prompts: VideoPrompts, image_at: ImageAt, given: Mapping[int, NDArray[np.uint8]]
) -> dict[int, UInt8Array]:
    """Return the masks (H,W) of all frames that have prompts.

    Args:
        prompter: makes them.
        prompts: by frame index and object id.
        image_at: returns the image of a frame.
        given: masks that frames have already, by frame index.

    Raises:
        PromptError: see :func:`~cyclevos.prompts.given.frame_mask`.
        MaskError: a mask has another size than its frame.
    """
    return {index: frame_mask(prompter, image_at(index), each, given.get(index)) for index, each in prompts.items()}


def on_the_way(pairs: Pairs, prompts: VideoPrompts, prompter: Prompter) -> Pairs:
    """Pair each frame with its mask, which is made from its prompts as it comes past.

    Args:
        pairs: frames with the masks that are given.
        prompts: by frame index and object id.
        prompter: makes the masks.

    Raises:
        PromptError: see :func:`~cyclevos.prompts.given.frame_mask`; or the video ends before a frame with prompts.
    """
    missing, last = set(prompts), 0
    for frame, mask in pairs:
        asked, last = prompts.get(frame.index), frame.index
        if asked is not None:
            mask = frame_mask(prompter, frame.image, asked, mask)
            warn_of_empty(prompts, {frame.index: mask})
            missing.discard(frame.index)
        yield frame, mask
    if missing:
        raise beyond_the_end(missing, last)


def beyond_the_end(indices: set[int], last: int) -> PromptError:
    """Return the refusal of prompts of frames behind the last one."""
    return PromptError(
        f"Prompts were given for frames {sorted(indices)}, but the video ends with frame {last} (counted from 0).",
        "Remove these prompts, or check their frame numbers.",
    )


def warn_of_empty(prompts: VideoPrompts, masks: Mapping[int, UInt8Array]) -> list[str]:
    """Warn of objects of which nothing was found, and return the warnings.

    Args:
        prompts: by frame index and object id.
        masks: made from them, by frame index.
    """
    notes = [
        f"The prompts of object {object_id} in frame {index} found nothing but the points themselves. Add "
        f"another point on it: --point {index}:X,Y:{object_id}"
        for index, mask in sorted(masks.items())
        for object_id in without_pixels(mask, prompts.get(index, _NONE))
    ]
    for note in notes:
        logger.warning("%s", note)
    return notes


def check_found(masks: Mapping[int, UInt8Array]) -> None:
    """Refuse masks that show no object at all.

    Raises:
        PromptError: every mask is empty.
    """
    if not any(mask.any() for mask in masks.values()):
        raise PromptError("The prompts found no object in any frame.", "Add a point on an object.")


_NONE: Mapping[int, Prompts] = {}
