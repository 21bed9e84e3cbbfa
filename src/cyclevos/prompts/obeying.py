"""Clicks are always obeyed, whatever a network says. Shapes: H W pixels."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from cyclevos.prompts.prompts import Prompts

_SURE = 0.6  # of a click that the network did not follow


def obeyed(probabilities: NDArray[np.float32], prompts: Prompts) -> NDArray[np.float32]:
    """Return probabilities in which each click on the object is above 0.5, and each click beside it below.

    Where clicks of both kinds fall on one pixel, the last one counts.

    Args:
        probabilities: float32 (H,W), changed in place.
        prompts: whose clicks are pixels of the picture.
    """
    for click in prompts.clicks:
        row, column = click.pixel
        said = probabilities[row, column]
        if click.positive and said <= 0.5:
            probabilities[row, column] = _SURE
        elif not click.positive and said >= 0.5:
            probabilities[row, column] = 1 - _SURE
    return probabilities
