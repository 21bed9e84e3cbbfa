"""Choosing, for each object, which of the masks that a correction passes through is kept."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cyclevos.cycle import reconstruct_reference, reconstruction_iou
from cyclevos.network.protocol import FrameMemory, MemoryNetwork
from cyclevos.network.transfer import download
from cyclevos.propagation.correction import Accept
from cyclevos.propagation.references import Reference

# Shapes: K object slots, H W pixels inside the network.


class Candidate(NamedTuple):
    """A mask that a correction may end with.

    Attributes:
        mask: foreground (K,H,W).
        memory: of the frame with that mask.
        distance: 1 - soft J of the references reconstructed from it, a scalar; None if it was not measured.
        step: number of steps that led to it.
    """

    mask: Tensor
    memory: FrameMemory
    distance: Tensor | None
    step: int


def retain(candidates: list[Candidate], newest: Candidate, accept: Accept) -> list[Candidate]:
    """Return the candidates that are still needed: the newest, the best, or all."""
    if accept == "consistent":
        return [*candidates, newest]
    if accept == "always" or not candidates:
        return [newest]
    best = candidates[0].distance
    better = best is not None and newest.distance is not None and bool(newest.distance < best)
    return [newest] if better else candidates


@torch.no_grad()
def consistent_choice(
    network: MemoryNetwork,
    candidates: Sequence[Candidate],
    previous: Reference,
    objects: Sequence[int],
    moved: Tensor,
    apart: int = 1,
) -> Tensor:
    """Choose for each object the last candidate that is consistent with the previous frame.

    A candidate is consistent if it reconstructs the previous frame's mask at least as well as the first one does.

    Args:
        network: any memory network.
        candidates: in the order of their steps, the original mask first.
        previous: the previous frame with the mask that was output.
        objects: the user's id of each slot.
        moved: bool (K,) on the host, the objects that the steps move.
        apart: distance from the previous frame, in frames.

    Returns:
        int64 (K,) on the host, indices of ``candidates``; objects that did not move, and those that the previous frame
        does not show, get the last candidate.
    """
    judged = moved & previous.shows(objects)
    chosen = torch.full_like(judged, len(candidates) - 1, dtype=torch.int64)
    if not bool(judged.any()):
        return chosen
    labels = previous.labels(objects)

    def score(candidate: Candidate) -> Tensor:
        logits = reconstruct_reference(network, candidate.memory.select(judged), previous.query, judged[None], apart)
        return reconstruction_iou(logits, labels, judged[None])[0]

    needed = score(candidates[0])
    worse = judged
    for at in range(len(candidates) - 1, 0, -1):
        (consistent,) = download(score(candidates[at]) >= needed)  # false if a score is NaN
        worse = worse & ~consistent
        chosen[worse] = at - 1
        if not bool(worse.any()):
            break
    return chosen


def merged_mask(candidates: Sequence[Candidate], chosen: Tensor) -> Tensor:
    """Return (K,H,W): each object's mask from the candidate chosen for it, int64 (K,)."""
    return torch.stack([candidates[at].mask[slot] for slot, at in enumerate(chosen.tolist())])
