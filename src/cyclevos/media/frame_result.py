"""What a writer of results gets of one frame, as one value.

Shapes: H height, W width, in pixels; K objects.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from cyclevos.media.frames import Frame
from cyclevos.pictures.arrays import UInt8Array


@dataclass(frozen=True, eq=False)
class FrameResult:
    """The result of one frame. The arrays must not change after the result is handed to a writer.

    Attributes:
        frame: the frame; its name becomes the name of the result.
        ids: object ids, uint8 (H, W), 0 = background.
        probabilities: float (K+1, H, W), channel 0 background; None where they are not kept.
        object_ids: object ids of channels 1..K; None = 1..K.
        reliability: predicted J of each object's mask by id, 0..1.
        annotated: the user gave this mask, so it has no reliability.
        annotation: the mask that the user gave, uint8 (H, W); None if there is none or it is not kept.
        calibrated: a predictor that was fitted to the network made the reliability, not a formula.
        absent: objects that a person says are not in the frame.
    """

    frame: Frame
    ids: UInt8Array
    probabilities: npt.NDArray[np.floating[Any]] | None = None
    object_ids: Sequence[int] | None = None
    reliability: Mapping[int, float] = field(default_factory=dict)
    annotated: bool = False
    annotation: UInt8Array | None = None
    calibrated: bool = False
    absent: Collection[int] = ()

    @property
    def index(self) -> int:
        """Frame index, from 0."""
        return self.frame.index

    @property
    def name(self) -> str:
        """Frame name."""
        return self.frame.name

    def check_ids(self) -> None:
        """Check the ids before they are written.

        Raises:
            ValueError: they are not uint8 (H, W) of the frame's size.
        """
        ids, size = self.ids, self.frame.size
        if ids.dtype != np.uint8 or ids.shape != size:
            raise ValueError(f"frame {self.name}: expected ids uint8 {size}, got {ids.dtype} {tuple(ids.shape)}")

    def channel_ids(self) -> list[int]:
        """Return the object id of each of the probabilities' channels after the background's.

        Raises:
            ValueError: there are no probabilities, or there is not one channel per object plus one for the background.
        """
        probabilities, size = self.probabilities, self.frame.size
        if probabilities is None or probabilities.ndim != 3 or probabilities.shape[1:] != size:
            found = "none" if probabilities is None else f"shape {probabilities.shape}"
            raise ValueError(f"expected probabilities (K+1, {size[0]}, {size[1]}), got {found}")
        channels = len(probabilities) - 1
        object_ids = list(range(1, channels + 1) if self.object_ids is None else self.object_ids)
        if len(object_ids) != channels:
            raise ValueError(f"expected {channels} object ids for {channels + 1} channels, got {object_ids}")
        return object_ids

    def check_objects(self, object_ids: Collection[int]) -> None:
        """Check that the frame shows no object that a writer was not told of.

        Raises:
            ValueError: it shows one.
        """
        shown = np.flatnonzero(np.bincount(self.ids.ravel(), minlength=1))
        unknown = {int(i) for i in shown} - {0, *object_ids}
        if unknown:
            raise ValueError(f"frame {self.name}: expected the objects {sorted(object_ids)}, got {sorted(unknown)} too")
