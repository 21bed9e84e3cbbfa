"""The segmentation of one frame, as the loop gives it to everyone else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frames import Frame

if TYPE_CHECKING:
    from supervision import Detections

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
        frame: the frame itself with its name, time and pixels; None inside the loop, which has it already.
        appearance: colours and names of the objects.
        all_ids: of every object that the masks of the video show, also of those that begin later; frame by frame, of
            those known so far.
    """

    index: int
    object_ids: tuple[int, ...]
    probabilities: Tensor
    ids: NDArray[np.uint8]
    annotated: bool = False
    reliability: Mapping[int, float] = field(default_factory=dict)
    uncorrected: Tensor | None = None
    calibrated: bool = False
    frame: Frame | None = None
    appearance: Appearance = PLAIN
    all_ids: tuple[int, ...] = ()

    @property
    def names(self) -> Mapping[int, str]:
        """Names by object id, of the objects that were given one."""
        return self.appearance.names

    def as_detections(self) -> Detections:
        """Return the objects that have pixels as ``supervision.Detections``.

        ``class_id`` and ``tracker_id`` are the object ids, ``data["class_name"]`` the names (``object 2`` without one),
        ``confidence`` the reliability: NaN where it is not known, None where it is known of no object.

        Raises:
            MissingExtraError: supervision is not installed.
        """
        from cyclevos.propagation.detections import as_detections

        return as_detections(self)
