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
        clip: index of the clip that the frames are of, where there are several.
    """

    reference: int
    later: tuple[int, ...]
    clip: int = 0


class Reach(NamedTuple):
    """Which frames a clip has to draw from.

    Attributes:
        annotated: indices of its annotated frames.
        frames: number of its frames.
    """

    annotated: Sequence[int]
    frames: int

    def starts(self, direction: str) -> list[tuple[int, int]]:
        """Return the annotated frames with each way, 1 or -1, that a direction goes and in which another frame lies."""
        ways = {"forward": (1,), "backward": (-1,), "both": (1, -1)}[direction]
        return [(index, way) for index in self.annotated for way in ways if 0 <= index + way < self.frames]


def draw_frames(clips: Sequence[Reach], direction: Direction, adaptation: Adaptation) -> list[Draw]:
    """Draw the frames of every step.

    Args:
        clips: take turns; those without a frame to carry a mask to are left out.
        direction: in which masks will be carried.
        adaptation: the settings.

    Returns:
        A draw for each step; none if no clip has a frame to carry a mask to.
    """
    starts = {number: found for number, clip in enumerate(clips) if (found := clip.starts(direction))}
    if not starts:
        return []
    turns = list(starts)
    random = np.random.default_rng(adaptation.seed)
    draws = []
    for step in range(adaptation.steps):
        clip = turns[step % len(turns)]
        index, way = starts[clip][random.integers(len(starts[clip]))]
        frames = clips[clip].frames
        later: list[int] = []
        at = index
        for _ in range(2):
            left = frames - 1 - at if way > 0 else at
            if left:
                at += way * int(random.integers(1, min(adaptation.gap, left) + 1))
                later.append(at)
        draws.append(Draw(index, tuple(later), clip))
    return draws
