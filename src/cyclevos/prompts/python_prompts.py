"""The prompts that a Python caller gives for a video, by frame index and object id. It needs no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cyclevos.errors import PromptError
from cyclevos.prompts.prompts import Prompts, VideoPrompts, prompts_of
from cyclevos.words import listed

_PARTS = ("points", "labels", "box")
_EXAMPLE = 'Write {0: {1: {"points": [(412, 230)]}}}: frame indices outside, object ids inside.'


def read_video_prompts(prompts: Any) -> VideoPrompts:
    """Read all prompts that a caller gives for one video.

    Args:
        prompts: by frame index; what has no frame index is for frame 0. The prompts of a frame are a mapping of object
            ids to prompts, a list with a prompt for each of the objects 1 to N, or one prompt, for object 1. A prompt
            is a :class:`Prompts`, or a mapping with ``points``, ``labels`` and ``box`` as a prompter takes them.

    Returns:
        Prompts by frame index and object id, both in ascending order.

    Raises:
        PromptError: they are of another form, or there are none.

    >>> read_video_prompts({"points": [(4, 2)]})
    {0: {1: Prompts(clicks=(Click(x=4.0, y=2.0, positive=True),), box=None)}}
    """
    by_frame = prompts if isinstance(prompts, Mapping) and not _is_prompt(prompts) else {0: prompts}
    _check_keys(by_frame, "frame indices from 0", 0, None)
    found = {int(index): _objects(by_frame[index], int(index)) for index in sorted(by_frame)}
    if not found:
        raise PromptError("There are no prompts.", _EXAMPLE)
    return found


def _objects(value: Any, index: int) -> dict[int, Prompts]:
    """Return the prompts of one frame by object id."""
    if _is_prompt(value):
        value = {1: value}
    elif isinstance(value, Sequence) and not isinstance(value, str):
        value = dict(enumerate(value, start=1))
    if not isinstance(value, Mapping):
        raise PromptError(
            f"The prompts of frame {index} are {type(value).__name__}; expected a mapping of object ids to prompts, a "
            "list of prompts, or one prompt.",
            _EXAMPLE,
        )
    _check_keys(value, "object ids from 1 to 255", 1, 255)
    read = {int(object_id): _prompt(value[object_id], index, int(object_id)) for object_id in sorted(value)}
    empty = [object_id for object_id, each in read.items() if not each]
    if empty or not read:
        whose = f"object {empty[0]} of frame {index}" if empty else f"frame {index}"
        raise PromptError(f"The prompts of {whose} hold neither a point nor a box.", _EXAMPLE)
    return read


def _prompt(value: Any, index: int, object_id: int) -> Prompts:
    where = f"The prompt of object {object_id} in frame {index}"
    if isinstance(value, Prompts):
        return value
    if not isinstance(value, Mapping):
        raise PromptError(
            f'{where} is {type(value).__name__}; expected a mapping with "points", "labels" or "box".', _EXAMPLE
        )
    unknown = [repr(key) for key in value if key not in _PARTS]
    if unknown:
        raise PromptError(f"{where} has {listed(unknown, most=3)}; expected {', '.join(_PARTS)}.", _EXAMPLE)
    points = value.get("points")
    return prompts_of(() if points is None else points, value.get("labels"), value.get("box"))


def _is_prompt(value: Any) -> bool:
    """Return whether a value is one prompt, and not a mapping by frame index or object id."""
    return isinstance(value, Prompts) or (
        isinstance(value, Mapping) and bool(value) and all(isinstance(key, str) for key in value)
    )


def _check_keys(values: Mapping[Any, Any], expected: str, least: int, most: int | None) -> None:
    for key in values:
        whole = isinstance(key, int | np.integer) and not isinstance(key, bool)
        if not whole or key < least or (most is not None and key > most):
            raise PromptError(f"{key!r} is a key of the prompts; expected {expected}.", _EXAMPLE)
