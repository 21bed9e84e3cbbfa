"""The segmentation of one frame, as the loop gives it to everyone else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

# Shapes: K objects, H W pixels of the source, H' W' of the network.


@dataclass(frozen=True, eq=False)
class Prediction:
    """The segmentation of one frame.

    Attributes:
        index: of the frame, from 0.
        object_ids: the user's id of each channel 1..K.
        probabilities: float32 (K+1,H,W) at the source's size, channel 0 the background, summing to 1.
        ids: uint8 (H,W) at the source's size, the most probable object of each pixel.
        annotated: the frame has an annotation.
        reliability: predicted J in [0, 1] of each mask, by object id; 1 for annotated objects. Objects that no
            reference shows yet are left out; in annotated frames, so are all objects that are not annotated.
        uncorrected: float (K+1,H',W') at the network's size, the mask before the correction, if a correction changed
            the output; else None.
        calibrated: the reliability comes from a predictor that was fitted to the network, not from a formula.
    """

    index: int
    object_ids: tuple[int, ...]
    probabilities: Tensor
    ids: NDArray[np.uint8]
    annotated: bool = False
    reliability: Mapping[int, float] = field(default_factory=dict)
    uncorrected: Tensor | None = None
    calibrated: bool = False
