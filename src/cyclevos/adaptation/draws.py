"""Which frames an adaptation looks at: an annotated one, and one or two further and further away from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from cyclevos.adaptation.settings import Adaptation
from cyclevos.propagation.settings import Direction


class Draw(NamedTuple):
    """The frames of one step.

    Attributes:
        reference: index of the annotated frame.
        later: indices of the frames that its mask is carried to, one after the other; one or two.
    """

    reference: int
    later: tuple[int, ...]


def draw_frames(annotated: Sequence[int], frames: int, direction: Direction, adaptation: Adaptation) -> list[Draw]:
    """Draw the frames of every step.

    Args:
        annotated: indices of the annotated frames.
        frames: number of frames of the video.
        direction: in which masks will be carried.
        adaptation: the settings.

    Returns:
        A draw for each step; none if no frame is left to carry a mask to.
    """
    ways = {"forward": (1,), "backward": (-1,), "both": (1, -1)}[direction]
    starts = [(index, way) for index in annotated for way in ways if 0 <= index + way < frames]
    if not starts:
        return []
    random = np.random.default_rng(adaptation.seed)
    draws = []
    for _ in range(adaptation.steps):
        index, way = starts[random.integers(len(starts))]
        later: list[int] = []
        at = index
        for _ in range(2):
            left = frames - 1 - at if way > 0 else at
            if left:
                at += way * int(random.integers(1, min(adaptation.gap, left) + 1))
                later.append(at)
        draws.append(Draw(index, tuple(later)))
    return draws
