"""Scoring protocols: which frames of a sequence are scored, and which objects count in each of them.

- `davis` (the DAVIS-2017 evaluation; with one object DAVIS-2016): only the objects of the first annotated frame
  count. That frame and the last annotated one are left out.
- `per-appearance` (vos-benchmark): the same frames, but an object counts from the first scored frame in which the
  ground truth or the result shows it. So an object that appears mid-video is scored, and a result that shows it too
  early scores lower. An object that the ground truth shows in no scored frame is not reported.
- `youtube-vos`: an object counts from the frame after the one in which the ground truth first shows it (where its
  mask is given as an annotation) to the last annotated frame, which is scored too.
"""

from __future__ import annotations

from enum import Enum
from typing import Any

import numpy as np
import numpy.typing as npt

from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import DatasetError
from cyclevos.words import counted


class Protocol(str, Enum):
    """The benchmark whose rules apply."""

    DAVIS = "davis"
    PER_APPEARANCE = "per-appearance"
    YOUTUBE_VOS = "youtube-vos"


class CountedObjects:
    """Decides for each frame which objects are scored.

    Args:
        protocol: the rules.
        first_ids: ids in the first annotated frame.
    """

    def __init__(self, protocol: Protocol, first_ids: list[int]) -> None:
        self._protocol = protocol
        self._in_truth: set[int] = set() if protocol is Protocol.PER_APPEARANCE else set(first_ids)
        self._in_results: set[int] = set()

    def of_frame(self, truth: npt.NDArray[np.uint8], prediction: npt.NDArray[np.uint8]) -> list[int]:
        """Return the ids that count in the next scored frame, ascending.

        Args:
            truth: (H, W) ids, 0 where pixels are ignored.
            prediction: (H, W) ids, 0 where the ground truth is ignored.
        """
        if self._protocol is Protocol.DAVIS:
            return sorted(self._in_truth)
        if self._protocol is Protocol.YOUTUBE_VOS:
            known = sorted(self._in_truth)
            self._in_truth |= ids_in(truth)
            return known
        self._in_truth |= ids_in(truth)
        self._in_results |= ids_in(prediction)
        return sorted(self._in_truth | self._in_results)

    def is_reported(self, object_id: int) -> bool:
        """Return, after the last frame, whether an object occurs in the ground truth."""
        return object_id in self._in_truth


def scored_frames(sequence: Sequence, protocol: Protocol = Protocol.DAVIS) -> list[str]:
    """Return the names of the scored frames in time order; each has ground truth.

    Raises:
        DatasetError: too few frames have ground truth.
    """
    names = list(sequence.annotations)
    scored, needed, left_out = names[1:-1], 3, "the first and the last are"
    if protocol is Protocol.YOUTUBE_VOS:
        scored, needed, left_out = names[1:], 2, "the first is"
    if not scored:
        raise DatasetError(
            f"Sequence '{sequence.name}' has ground truth for {counted(len(names), 'frame')}; expected "
            f"{needed} or more, because {left_out} not scored.",
            "Leave the sequence out.",
        )
    return scored


def ids_in(mask: npt.NDArray[Any]) -> set[int]:
    """Return the ids above 0 in a mask (H, W) of uint8.

    >>> ids_in(np.array([[0, 3], [3, 200]], dtype=np.uint8))
    {200, 3}
    """
    return set(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist()) - {0}
