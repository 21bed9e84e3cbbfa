"""What a prompter is asked: the image, the prompts and the mask to repair, as any caller gives them, checked.

Shapes: H W pixels of the image.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cyclevos.errors import MaskError, PromptError
from cyclevos.media.given_images import host_array, rgb_image
from cyclevos.naming import size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.prompts.prompts import Prompts, prompts_of


class Asked(NamedTuple):
    """One question to a prompter.

    Attributes:
        image: uint8 RGB (H,W,3).
        prompts: at least one; all clicks lie in the image, and the box is cut at its edges.
        mask: probabilities float32 (H,W) of the mask to repair; None = there is none.
    """

    image: UInt8Array
    prompts: Prompts
    mask: NDArray[np.float32] | None

    @property
    def size(self) -> tuple[int, int]:
        """H and W."""
        return self.image.shape[0], self.image.shape[1]


def asked(image: Any, points: Any = (), labels: Any = None, box: Any = None, mask: Any = None) -> Asked:
    """Check what a caller gives; see :class:`cyclevos.prompts.prompter.Prompter`.

    Raises:
        VideoError: the image is none.
        PromptError: there are only points beside the object or none, or a prompt lies outside or is malformed.
        MaskError: the mask has another size than the image, or values outside of 0 to 1.
    """
    pixels = rgb_image(image)
    size = pixels.shape[0], pixels.shape[1]
    prompts = prompts_of(points, labels, box).within(size)
    if not prompts:
        raise PromptError("There is neither a point nor a box.", "Give at least one.")
    earlier = as_probabilities(mask, size)
    if earlier is None and prompts.only_beside:
        raise PromptError(
            "There are only points beside the object, and neither a box nor a mask from which they could take away.",
            "Give a point on the object as well.",
        )
    return Asked(pixels, prompts, earlier)


def as_probabilities(mask: Any, size: tuple[int, int]) -> NDArray[np.float32] | None:
    """Read the mask that is to be repaired as probabilities (H,W); None if there is none or it is empty.

    Raises:
        MaskError: it has another size, or values outside of 0..1.
    """
    if mask is None:
        return None
    found = host_array(mask)
    if found is None or found.dtype.kind not in "biuf":
        raise MaskError(
            f"The mask is {type(mask).__name__}; expected an array of bool or of probabilities.", "Give one."
        )
    if found.shape != size:
        shape = size_text((found.shape[0], found.shape[1])) if found.ndim == 2 else f"of shape {found.shape}"
        raise MaskError(
            f"The mask is {shape}, the image {size_text(size)} (width x height).", "Give a mask of the image's size."
        )
    if found.dtype != np.bool_ and not bool(((found >= 0) & (found <= 1)).all()):
        raise MaskError(
            "The mask holds values outside of 0 to 1; expected bool or probabilities.", "Give ids == N for object N."
        )
    return found.astype(np.float32) if found.any() else None
