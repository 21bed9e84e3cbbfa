"""Gradient correction (Eq. 5): move a mask so that the known mask of the reference frame comes out better."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from cyclevos.cycle import rebuild_reference, rebuilt_iou
from cyclevos.losses import mask_loss
from cyclevos.masks import most_probable
from cyclevos.network.protocol import MemoryFeatures, MemoryInput, MemoryNetwork
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.references import Reference, answering

# Shapes: K object slots, O objects present, H W pixels inside the network, h w cells at stride 16.


class Corrected(NamedTuple):
    """What became of a mask.

    Attributes:
        probabilities: (K+1,H,W).
        memory: features of the frame with that mask; None if nothing could be asked.
        before: soft J of the rebuilt reference masks before any step; nan if nothing could be asked.
        after: the same for the mask that was kept; nan if nobody asked.
        steps: steps taken.
        kept: the mask is another than the original.
    """

    probabilities: Tensor
    memory: MemoryFeatures | None
    before: float
    after: float
    steps: int
    kept: bool

    def summary(self, original: Tensor) -> str:
        """Say in words what happened to the original mask (K+1,H,W)."""
        if not self.steps:
            return "nothing to correct" if math.isnan(self.before) else f"reference {self.before:.3f}, left as it is"
        changed = int((most_probable(self.probabilities) != most_probable(original)).sum())
        after = "" if math.isnan(self.after) else f" -> {self.after:.3f}"
        verdict = "kept" if self.kept else "reverted"
        return f"reference {self.before:.3f}{after}, {self.steps} steps, {changed} pixels changed, {verdict}"


class _Candidate(NamedTuple):
    """A mask on the way, (K,H,W): its features, the soft J of what it rebuilds (nan: not asked), steps to it."""

    mask: Tensor
    memory: MemoryFeatures
    score: float
    step: int


def correct(
    network: MemoryNetwork,
    prepared: MemoryInput,
    probabilities: Tensor,
    references: Sequence[Reference],
    objects: Sequence[int],
    correction: Correction,
    *,
    witness: Reference | None = None,
    measure: bool = False,
) -> Corrected:
    """Correct the mask of one frame.

    Objects that a reference does not show or that the frame has lost are left as they are.

    Args:
        network: any memory network; none of its parameters gets a gradient.
        prepared: what its ``prepare_memory`` made of the frame.
        probabilities: the frame's predicted soft mask (K+1,H,W).
        references: annotated frames to ask for, in their order; with ``latest`` an object is asked of the
            last one that shows it alone.
        objects: the user's id of each slot.
        correction: how.
        witness: the previous frame with the mask that was shown, for ``consistent`` acceptance; objects
            that it does not show, or all of them without it, keep the last step.
        measure: ask how good the mask became even where that decides nothing, at one forward pass.
    """
    visible = torch.bincount(most_probable(probabilities).flatten(), minlength=len(probabilities))[1:] > 0  # (K,)
    if correction.reference == "latest":
        shown = answering(references, objects)
    else:
        shown = [(reference, reference.shows(objects)) for reference in reversed(references)]
    asked = [(reference, who & visible) for reference, who in shown if bool((who & visible).any())]
    if not asked or not correction.steps:
        return Corrected(probabilities, None, math.nan, math.nan, 0, kept=False)
    return descend(network, prepared, probabilities, asked, objects, correction, witness=witness, measure=measure)


def descend(
    network: MemoryNetwork,
    prepared: MemoryInput,
    probabilities: Tensor,
    asked: Sequence[tuple[Reference, Tensor]],
    objects: Sequence[int],
    correction: Correction,
    before_step: Callable[[int], object] | None = None,
    *,
    witness: Reference | None = None,
    measure: bool = False,
) -> Corrected:
    """Take the steps of Equation 5 from any mask, be it empty.

    Args:
        network: any memory network; none of its parameters gets a gradient.
        prepared: what its ``prepare_memory`` made of the frame.
        probabilities: the mask to start from (K+1,H,W).
        asked: each reference with the objects asked of it, bool (K,), at least one.
        objects: the user's id of each slot.
        correction: how, with one step at least.
        before_step: told the number of each step before it is taken; what it raises ends the work.
        witness: see :func:`correct`.
        measure: see :func:`correct`.
    """
    moved = torch.stack([who for _, who in asked]).any(dim=0)  # (K,)
    rate = correction.rate
    if correction.rate_unit == "pixel":
        rate *= max(1, round(correction.hard_fraction * probabilities[0].numel()))
    mask = probabilities[1:].detach().clone()  # (K,H,W)
    growth = None if correction.grow_from is None else (mask / correction.grow_from).clamp(0, 1)
    candidates: list[_Candidate] = []
    before = math.nan

    def finish(mask: Tensor) -> tuple[MemoryFeatures, float]:
        if measure:
            _, score, memory, _ = _ask(network, prepared, mask, asked, objects, correction, gradient=False)
            return memory, score
        with torch.no_grad():  # nobody asks how good it became
            return network.encode_memory(prepared, _with_background(mask)[None], _everyone(mask)), math.nan

    for step in range(correction.steps + 1):
        last = step == correction.steps
        if last and correction.accept != "better":
            candidates.append(_Candidate(mask, *finish(mask), step))
            break
        if before_step is not None:
            before_step(step)
        loss, score, memory, leaf = _ask(network, prepared, mask, asked, objects, correction, gradient=not last)
        before = score if step == 0 else before
        candidate = _Candidate(mask, memory, score, step)
        if correction.accept == "consistent":
            candidates.append(candidate)
        elif correction.accept == "always" or step == 0 or score > candidates[0].score:
            candidates = [candidate]
        if last or (correction.stop_at is not None and score >= correction.stop_at):
            break
        (gradient,) = torch.autograd.grad(loss, leaf)
        move = -rate * gradient * moved[:, None, None]
        mask = mask + (move if growth is None else torch.where(move > 0, move * growth, move))
        if correction.project:
            mask = _project(mask, moved)
    kept = candidates[-1]
    if correction.accept == "consistent" and witness is not None:
        chosen = _consistent(network, candidates, witness, objects, moved)
        kept = candidates[int(chosen[moved].max())]
        if bool((chosen[moved] != chosen[moved][0]).any()):
            mask = torch.stack([candidates[at].mask[slot] for slot, at in enumerate(chosen.tolist())])
            kept = _Candidate(mask, *finish(mask), kept.step)
    return Corrected(_with_background(kept.mask), kept.memory, before, kept.score, step, kept=kept.step > 0)


def as_probabilities(corrected: Tensor) -> Tensor:
    """Make what unprojected steps left (K+1,H,W) fit to be shown: in [0, 1], summing to 1."""
    mask = corrected[1:]
    return _with_background(_project(mask, torch.ones(len(mask), dtype=torch.bool, device=mask.device)))


@torch.no_grad()
def _consistent(
    network: MemoryNetwork,
    candidates: Sequence[_Candidate],
    witness: Reference,
    objects: Sequence[int],
    moved: Tensor,
) -> Tensor:
    """Choose for each object, int64 (K,), the last candidate that rebuilds the witness no worse than the first."""
    judged = moved & witness.shows(objects)
    chosen = torch.full_like(judged, len(candidates) - 1, dtype=torch.int64)
    if not bool(judged.any()):
        return chosen
    labels = witness.labels(objects)

    def rebuilt(candidate: _Candidate) -> Tensor:
        logits = rebuild_reference(network, candidate.memory.select(judged), witness.query, judged[None])
        return rebuilt_iou(logits, labels, judged[None])[0]

    needed = rebuilt(candidates[0])
    worse = judged
    for at in range(len(candidates) - 1, 0, -1):
        worse = worse & ~(rebuilt(candidates[at]) >= needed)  # what is not a number is no better
        chosen[worse] = at - 1
        if not bool(worse.any()):
            break
    return chosen


def _ask(
    network: MemoryNetwork,
    prepared: MemoryInput,
    mask: Tensor,
    asked: Sequence[tuple[Reference, Tensor]],
    objects: Sequence[int],
    correction: Correction,
    *,
    gradient: bool,
) -> tuple[Tensor, float, MemoryFeatures, Tensor]:
    """Rebuild the references: their loss, their mean soft J, the memory asked, and what to differentiate by."""
    with torch.set_grad_enabled(gradient):
        leaf = mask.detach().requires_grad_(gradient)
        memory = network.encode_memory(prepared, _with_background(leaf)[None], _everyone(leaf))
        losses = []
        for reference, who in asked:
            labels = reference.labels(objects)
            logits = rebuild_reference(network, memory.select(who), reference.query, who[None])
            losses.append(mask_loss(logits, labels, who[None], correction.hard_fraction))
        score = 1 - float(torch.stack([loss.iou.detach() for loss in losses]).mean())
        detached = MemoryFeatures(memory.key.detach(), memory.value.detach())
        return torch.stack([loss.total for loss in losses]).mean(), score, detached, leaf


def _project(mask: Tensor, moved: Tensor) -> Tensor:
    """Bring the moved (K,) of the foreground masks (K,H,W) back to probabilities that fit beside the others."""
    clamped = torch.where(moved[:, None, None], mask.clamp(0, 1), mask)
    room = (1 - clamped[~moved].sum(dim=0)).clamp(min=0)  # (H,W)
    wanted = clamped[moved].sum(dim=0)
    share = torch.where(wanted > room, room / wanted, 1.0)
    return torch.where(moved[:, None, None], clamped * share, clamped)


def _with_background(mask: Tensor) -> Tensor:
    return torch.cat([1 - mask.sum(dim=0, keepdim=True), mask])


def _everyone(mask: Tensor) -> Tensor:
    return torch.ones(1, len(mask), dtype=torch.bool, device=mask.device)
