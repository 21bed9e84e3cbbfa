"""What every prompter offers: an image and prompts in, the probabilities of one object out."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

# Shapes: H W pixels of the image, N clicks.


class Prompter(Protocol):
    """Turns prompts into the mask of one object, and repairs a mask by them.

    Attributes:
        name: under which it was loaded.
    """

    name: str

    def __call__(
        self, image: Any, points: Any = (), labels: Any = None, box: Any = None, mask: Any = None
    ) -> NDArray[np.float32]:
        """Return the probabilities of the object that is pointed at.

        Clicks are always obeyed: the pixel of a click on the object is above 0.5, that of a click beside it below.

        Args:
            image: RGB (H,W,3) uint8, or what :func:`cyclevos.media.given_images.rgb_image` takes. A prompter may keep
                what it computed of the latest image, and recognises that image by its content.
            points: clicks (N,2), x to the right and y downwards in pixels.
            labels: (N,), 1 for a click on the object and 0 for one beside it; None = all on the object.
            box: left, top, right and bottom edge in pixels; None = none.
            mask: the object's mask as it is, bool or probabilities (H,W), which the clicks repair; None = none.

        Returns:
            float32 (H,W) in 0..1.

        Raises:
            PromptError: there is no prompt, or one lies outside the image or is malformed.
            MaskError: the mask has another size than the image.
        """
        ...

    def candidates(
        self, image: Any, points: Any = (), labels: Any = None, box: Any = None, mask: Any = None
    ) -> list[NDArray[np.float32]]:
        """Return what the prompts may mean, most likely first; the first is what the call itself returns."""
        ...
