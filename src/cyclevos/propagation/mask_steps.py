"""One step of gradient correction: moving a mask along the gradient, and turning it back into probabilities."""

from __future__ import annotations

import torch
from torch import Tensor

from cyclevos.network.transfer import upload
from cyclevos.propagation.correction import Correction

# Shapes: K object slots, H W pixels inside the network.


class MaskSteps:
    """Moves masks by the rule of a correction.

    Args:
        correction: the settings.
        start: the mask (K+1,H,W) before any step; ``grow_from`` is relative to it.
        moved: bool (K,) on the host, the objects to move.
    """

    def __init__(self, correction: Correction, start: Tensor, moved: Tensor) -> None:
        self.moved = moved
        self._moving = upload(moved, start.device)[:, None, None]
        self._project = correction.project
        self._rate = correction.rate
        if correction.rate_unit == "pixel":
            self._rate *= max(1, round(correction.hard_fraction * start[0].numel()))
        grow_from = correction.grow_from
        self._growth = None if grow_from is None else (start[1:].detach() / grow_from).clamp(0, 1)  # (K,H,W)

    def __call__(self, mask: Tensor, gradient: Tensor) -> Tensor:
        """Return the mask (K,H,W) after one step against the gradient (K,H,W)."""
        move = -self._rate * gradient * self._moving
        mask = mask + (move if self._growth is None else torch.where(move > 0, move * self._growth, move))
        return project(mask, self.moved) if self._project else mask


def project(mask: Tensor, moved: Tensor) -> Tensor:
    """Clamp the moved objects of a foreground mask and scale them so that the sum with the others is at most 1.

    Args:
        mask: (K,H,W), any values for the moved objects, probabilities for the others.
        moved: bool (K,) on the host.

    Returns:
        (K,H,W), the moved objects in [0, 1], the sum of all at most 1.
    """
    moving = upload(moved, mask.device)[:, None, None]
    clamped = torch.where(moving, mask.clamp(0, 1), mask)
    room = (1 - clamped[~moved].sum(dim=0)).clamp(min=0)  # (H,W)
    wanted = clamped[moved].sum(dim=0)
    share = torch.where(wanted > room, room / wanted, 1.0)
    return torch.where(moving, clamped * share, clamped)


def as_probabilities(corrected: Tensor) -> Tensor:
    """Turn a corrected mask (K+1,H,W) with any values into probabilities in [0, 1] that sum to 1."""
    clamped = corrected[1:].clamp(0, 1)
    wanted = clamped.sum(dim=0)
    shared = clamped * torch.where(wanted > 1, 1 / wanted, 1.0)
    background = (1 - shared.sum(dim=0, keepdim=True)).clamp(min=0)  # rounding may have left a little more than 1
    return torch.cat([background, shared])


def with_background(mask: Tensor) -> Tensor:
    """Prepend the background channel to a foreground mask: (K,H,W) to (K+1,H,W), summing to 1."""
    return torch.cat([1 - mask.sum(dim=0, keepdim=True), mask])
