"""How much of each pixel belongs to an object, and the object cut out of its frame.

Shapes: H height, W width, in pixels.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from cyclevos.media.frame_result import FrameResult
from cyclevos.pictures.arrays import UInt8Array

_BLOCK = 16  # pixels; what encoders of video work on


def coverage(result: FrameResult, object_id: int | None = None) -> npt.NDArray[np.float32]:
    """Return the share of each pixel that belongs to an object: its probability where there is one, else 0 or 1.

    Args:
        result: of a frame.
        object_id: the object; None = all of them together.

    Returns:
        float32 (H, W), 0..1.

    Raises:
        ValueError: the ids or the probabilities do not fit the frame.

    >>> from cyclevos.media.frames import Frame
    >>> frame = Frame(0, "a", np.zeros((1, 2, 3), np.uint8))
    >>> result = FrameResult(frame, np.array([[7, 0]], np.uint8), np.array([[[0.25, 1]], [[0.75, 0]]]), [7])
    >>> coverage(result).tolist(), coverage(result, 3).tolist()
    ([[0.75, 0.0]], [[0.0, 0.0]])
    """
    result.check_ids()
    probabilities = result.probabilities
    if probabilities is None:
        covered = result.ids > 0 if object_id is None else result.ids == object_id
        return covered.astype(np.float32)
    channels = result.channel_ids()
    if object_id is not None and object_id not in channels:
        return np.zeros(result.frame.size, np.float32)
    channel = 0 if object_id is None else 1 + channels.index(object_id)
    # As exact as they are kept, so that what is made later is what would have been made at once.
    share: npt.NDArray[np.float32] = probabilities[channel].astype(np.float16).astype(np.float32)
    return 1 - share if object_id is None else share


def coverage_levels(result: FrameResult, object_id: int | None = None) -> UInt8Array:
    """Return :func:`coverage` in 256 levels, uint8 (H, W): 0 nothing of a pixel, 255 all of it."""
    levels: UInt8Array = np.rint(np.clip(coverage(result, object_id), 0, 1) * 255).astype(np.uint8)
    return levels


def cut_out(image: UInt8Array, alpha: UInt8Array, *, margin: bool = False) -> UInt8Array:
    """Return a picture with straight (not premultiplied) alpha, black where nothing of it is shown.

    Args:
        image: uint8 RGB (H, W, 3).
        alpha: uint8 (H, W).
        margin: keep the picture's colours for at least 16 pixels around what is shown, so that an encoder does not
            smear black into its edge.

    Returns:
        uint8 RGBA (H, W, 4).
    """
    height, width = alpha.shape
    result = np.zeros((height, width, 4), np.uint8)
    shown = alpha > 0
    kept = _with_margin(shown) if margin else shown
    result[..., :3][kept] = image[kept]
    result[..., 3] = alpha
    return result


def _with_margin(shown: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Mark every block of pixels that shows something, and the blocks around it, bool (H, W)."""
    height, width = shown.shape
    padded = np.pad(shown, ((0, -height % _BLOCK), (0, -width % _BLOCK)))
    rows, columns = padded.shape[0] // _BLOCK, padded.shape[1] // _BLOCK
    blocks = np.pad(padded.reshape(rows, _BLOCK, columns, _BLOCK).any((1, 3)), 1)
    near = blocks[:-2] | blocks[1:-1] | blocks[2:]
    near = near[:, :-2] | near[:, 1:-1] | near[:, 2:]
    whole: npt.NDArray[np.bool_] = near.repeat(_BLOCK, 0).repeat(_BLOCK, 1)[:height, :width]
    return whole
