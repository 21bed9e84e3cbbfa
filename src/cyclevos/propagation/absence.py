"""Objects that are known not to be in a frame: they are taken out of what the network answers."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

import torch
from torch import Tensor

from cyclevos.network.protocol import Segmentation
from cyclevos.propagation.outcome import MaskOutcome

Absent = Callable[[int], Collection[int]]
"""Called with a frame's index, returns the ids of the objects that are known not to be there."""

_NEVER = -1e4  # a logit that softmax makes exactly 0

# Shapes: K object slots, H' W' pixels inside the network.


def without_absent(said: Segmentation, objects: Sequence[int], absent: Absent | None, index: int) -> Segmentation:
    """Return a network's answer with probability 0 for the objects that are not in the frame.

    Args:
        said: the answer, logits (1,K+1,H',W').
        objects: the user's id of each slot.
        absent: says which objects are not there; None = nothing is known.
        index: of the frame.
    """
    gone = _gone(objects, absent, index)
    if not bool(gone.any()):
        return said
    logits = said.logits.clone()
    logits[:, 1:][:, gone.to(logits.device)] = _NEVER
    return said._replace(logits=logits)


def without_own(masks: MaskOutcome, absent: Absent | None, index: int) -> MaskOutcome:
    """Return a frame's masks with those of absent objects not counted as the network's own answer."""
    gone = _gone(masks.objects, absent, index)
    return masks if masks.own is None or not bool(gone.any()) else masks._replace(own=masks.own & ~gone)


def _gone(objects: Sequence[int], absent: Absent | None, index: int) -> Tensor:
    """Return bool (K,) on the host."""
    ids = () if absent is None else absent(index)
    return torch.tensor([i in ids for i in objects], dtype=torch.bool)
