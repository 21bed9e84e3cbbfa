"""Arrays read as object ids: ids, masks of one object, and stacks with a mask for each object.

Shapes: N objects, H height, W width, in pixels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.exchange.track import merge_objects
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.words import counted, objects_text

_Array = npt.NDArray[Any]

_MOST = 255  # objects
_LAST_AXIS = 16  # up to this length, and shorter than the others, the last axis is no width but the masks
_EXPECTED = "integers 0..255 or bool of shape (H,W), or a stack (N,H,W) of bool or of 0 and 1"


def ids_of_array(array: _Array, where: str) -> UInt8Array:
    """Read an array as object ids (H,W); the result is a copy.

    Args:
        array: ids (H,W), integers 0..255; bool, or floats that are 0 or 1, (H,W), one object; a stack of them,
            (N,H,W) or (N,1,H,W), objects 1..N; (1,H,W) and (H,W,1) are (H,W).
        where: what it is, for errors.

    Raises:
        MaskError: its type, shape or values are others, or two objects overlap.

    Example:
        >>> ids_of_array(np.array([[[True, False]], [[False, True]]]), "The mask")
        array([[1, 2]], dtype=uint8)
    """
    stack = _without_ones(_whole(array, where), where)
    if stack.ndim == 2:
        low, high = int(stack.min()), int(stack.max())
        if low < 0 or high > _MOST:
            raise MaskError(
                f"{_described(array, where)}, values {low}..{high}; expected {_EXPECTED}.", _ids_advice(high)
            )
        return stack.astype(np.uint8)
    if len(stack) > _MOST:
        raise MaskError(
            f"{_described(array, where)}, a stack of {counted(len(stack), 'mask')}; expected at most {_MOST} objects.",
            "Give ids (H,W) if the first axis is the height, or fewer objects.",
        )
    low, high = stack.min(), stack.max()
    if high not in (0, 1, _MOST) or not bool(((stack == 0) | (stack == high)).all()):
        raise MaskError(
            f"{_described(array, where)}, a stack of {counted(len(stack), 'mask')} with values {low}..{high}; expected "
            "bool, or 0 and 1, in each.",
            "Give each object's mask as bool, or one mask of ids (H,W).",
        )
    return merge_parts({number: mask > 0 for number, mask in enumerate(stack, start=1)}, where)


def merge_parts(
    parts: Mapping[int, npt.NDArray[np.bool_]], where: str, names: Mapping[int, str] | None = None
) -> UInt8Array:
    """Merge masks of single objects into ids (H,W).

    Args:
        parts: masks (H,W) by object id, at least one.
        where: what they are, for errors.
        names: names by object id, for errors.

    Raises:
        MaskError: two of them differ in size or overlap, or there are too many.
    """
    sizes = {mask.shape[:2] for mask in parts.values()}
    if len(sizes) > 1:
        shown = " and ".join(sorted(size_text((size[0], size[1])) for size in sizes))
        raise MaskError(f"{where} has parts of different sizes, {shown}.", "Give all masks in the frames' size.")
    if len(parts) > _MOST:
        raise MaskError(f"{where} has {counted(len(parts), 'object')}; expected at most {_MOST}.", "Leave some out.")
    (size,) = sizes
    claims = np.zeros(size, np.int32)
    for mask in parts.values():
        claims += mask
    shared = claims > 1
    if shared.any():
        touching = [object_id for object_id, mask in parts.items() if mask[shared].any()]
        raise MaskError(
            f"{where}: {objects_text(touching, names)} overlap in {counted(int(shared.sum()), 'pixel')}, but a pixel "
            "can belong to one object.",
            "Take the pixels from one of them, as in second &= ~first. If they are candidates for one object, as SAM "
            "returns, give the best alone: masks[scores.argmax()].",
        )
    return merge_objects(list(parts.items()), (size[0], size[1]), where)


def _whole(array: _Array, where: str) -> _Array:
    """Return an array of integers or bool; floats must be 0 or 1."""
    if not array.size:
        raise MaskError(f"{_described(array, where)}, without a pixel; expected {_EXPECTED}.", "Check how it was made.")
    if array.dtype.kind in "biu":
        return array
    if array.dtype.kind == "f" and bool(((array == 0) | (array == 1)).all()):
        return array > 0
    if array.dtype.kind == "c":
        raise MaskError(f"{_described(array, where)}; expected {_EXPECTED}.", "Give object ids as integers.")
    low, high = float(array.min()), float(array.max())
    if low >= 0 and high <= _MOST and bool((array == np.floor(array)).all()):
        kind, advice = "", "Give ids as integers: mask.astype('uint8')."
    elif low < 0:
        kind, advice = ", which are no probabilities", "Threshold them: mask > 0 for logits."
    else:
        kind, advice = ", a soft mask", "Threshold it: mask > 0.5."
    raise MaskError(f"{_described(array, where)} with values {low:g}..{high:g}{kind}; expected {_EXPECTED}.", advice)


def _without_ones(array: _Array, where: str) -> _Array:
    """Return (H,W) or (N,H,W): axes of length 1 that cannot be meant are dropped."""
    shape = array.shape
    if array.ndim == 4 and 1 in shape[:2]:  # (N,1,H,W), as SAM 2 has masks, or (1,N,H,W), a batch of one
        return _without_ones(array[:, 0] if shape[1] == 1 else array[0], where)
    if array.ndim == 3 and shape[0] == 1:
        return np.squeeze(array, 0)
    if array.ndim == 3 and shape[2] == 1:
        return np.squeeze(array, 2)
    if array.ndim == 3 and shape[2] in (3, 4) and shape[0] > 4:
        raise MaskError(
            f"{_described(array, where)}, a colour picture; expected {_EXPECTED}.",
            "Give it as a Pillow image or a path, whose colours are read, or give its object ids (H,W).",
        )
    if array.ndim == 3 and shape[2] <= _LAST_AXIS < min(shape[:2]):
        raise MaskError(
            f"{_described(array, where)}, probably (H,W,N); expected {_EXPECTED}.",
            "Move the last axis to the front: np.moveaxis(masks, -1, 0).",
        )
    if array.ndim not in (2, 3):
        raise MaskError(f"{_described(array, where)}; expected {_EXPECTED}.", "Give object ids (H,W).")
    return array


def _described(array: _Array, where: str) -> str:
    return f"{where} is {array.dtype} of shape {array.shape}"


def _ids_advice(high: int) -> str:
    return "Give object ids from 1 to 255, and 0 for the background" + (
        "; renumber them: np.unique(mask, return_inverse=True)[1].reshape(mask.shape)." if high > _MOST else "."
    )
