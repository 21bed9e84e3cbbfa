"""Gradient correction (Eq. 5): descend along the gradient of the reconstruction's loss with respect to the mask."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from cyclevos.losses import mask_loss
from cyclevos.masks import most_probable
from cyclevos.network.protocol import FrameMemory, MemoryNetwork, Segmentation
from cyclevos.network.transfer import download
from cyclevos.propagation.acceptance import Candidate, consistent_choice, merged_mask, retain
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.mask_steps import MaskSteps, with_background
from cyclevos.propagation.references import Reference, answering

# Shapes: K object slots, O objects present, H W pixels inside the network, h w cells at stride 16.

Asked = Sequence[tuple[Reference, Tensor]]
"""Reference frames, each with the objects that are reconstructed in it, bool (K,) on the host."""


class Subject(NamedTuple):
    """The frame whose mask is corrected.

    Attributes:
        frame_index: from 0.
        prepared: mask-independent features of the frame, from the network's ``prepare_memory``.
        said: what the network answered for it, if the mask to correct is exactly that; else None.
    """

    frame_index: int
    prepared: Any
    said: Segmentation | None = None


class Corrected(NamedTuple):
    """The result of correcting one mask.

    Attributes:
        probabilities: (K+1,H,W).
        memory: of the frame with that mask; None if there was nothing to reconstruct, or if the mask stayed what a
            network with a state answered, which remembers its answer better than a mask.
        before: soft J of the reconstructed references before any step; NaN if there was nothing to reconstruct.
        after: the same for the mask that was kept; NaN if it was not measured.
        steps: steps taken.
        kept: the mask differs from the original.
    """

    probabilities: Tensor
    memory: FrameMemory | None
    before: float
    after: float
    steps: int
    kept: bool

    def summary(self, original: Tensor) -> str:
        """Return a text that describes what happened to the original mask (K+1,H,W)."""
        if not self.steps:
            return "nothing to correct" if math.isnan(self.before) else f"reference {self.before:.3f}, not corrected"
        changed = int((most_probable(self.probabilities) != most_probable(original)).sum())
        after = "" if math.isnan(self.after) else f" -> {self.after:.3f}"
        verdict = "kept" if self.kept else "reverted"
        return f"reference {self.before:.3f}{after}, {self.steps} steps, {changed} pixels changed, {verdict}"


def correct(
    network: MemoryNetwork,
    subject: Subject,
    probabilities: Tensor,
    references: Sequence[Reference],
    objects: Sequence[int],
    correction: Correction,
    *,
    previous: Reference | None = None,
    measure: bool = False,
) -> Corrected:
    """Correct the mask of one frame.

    Objects that no reference shows, or that have no pixel in the frame, stay unchanged.

    Args:
        network: any memory network; none of its parameters gets a gradient.
        subject: the frame.
        probabilities: its predicted soft mask (K+1,H,W).
        references: annotated frames in the order in which they were reached; with ``latest``, an object is
            reconstructed only in the last one that shows it.
        objects: the user's id of each slot.
        correction: the settings.
        previous: the previous frame with the mask that was output, for ``consistent`` acceptance. Objects that it
            does not show keep the last step; without it, all objects do.
        measure: measure the mask that is kept even if nothing depends on it, at the cost of one forward pass.
    """
    best = most_probable(probabilities)
    (visible,) = download(torch.stack([(best == slot).any() for slot in range(1, len(probabilities))]))  # (K,)
    if correction.reference == "latest":
        pairs = answering(references, objects)
    else:
        pairs = [(reference, reference.shows(objects)) for reference in reversed(references)]
    asked = [(reference, who & visible) for reference, who in pairs if bool((who & visible).any())]
    if not asked or not correction.steps:
        return Corrected(probabilities, None, math.nan, math.nan, 0, kept=False)
    return descend(network, subject, probabilities, asked, objects, correction, previous=previous, measure=measure)


def descend(
    network: MemoryNetwork,
    subject: Subject,
    probabilities: Tensor,
    asked: Asked,
    objects: Sequence[int],
    correction: Correction,
    before_step: Callable[[int], object] | None = None,
    *,
    previous: Reference | None = None,
    measure: bool = False,
) -> Corrected:
    """Take the steps of Equation 5 from any mask, even an empty one.

    Args:
        network: any memory network; none of its parameters gets a gradient.
        subject: the frame.
        probabilities: the mask to start from (K+1,H,W).
        asked: each reference with the objects to reconstruct in it, bool (K,); at least one reference.
        objects: the user's id of each slot.
        correction: the settings, with one step at least.
        before_step: called with the number of each step before it is taken; an exception that it raises ends the
            descent.
        previous: see :func:`correct`.
        measure: see :func:`correct`.
    """
    take_step = MaskSteps(correction, probabilities, torch.stack([who for _, who in asked]).any(dim=0))
    cycle = _Cycle(network, subject, asked, objects, correction.hard_fraction, take_step.moved)
    mask = probabilities[1:].detach().clone()  # (K,H,W)
    candidates: list[Candidate] = []
    before: Tensor | None = None
    for step in range(correction.steps):
        if before_step is not None:
            before_step(step)
        reconstruction = cycle.reconstruct(mask)
        before = reconstruction.distance if before is None else before
        newest = Candidate(mask, reconstruction.memory, reconstruction.distance, step)
        candidates = retain(candidates, newest, correction.accept)
        if correction.stop_at is not None and 1 - float(reconstruction.distance) >= correction.stop_at:
            steps = step
            break
        (gradient,) = torch.autograd.grad(reconstruction.loss, reconstruction.leaf)
        mask = take_step(mask, gradient)
    else:
        steps = correction.steps
        last = cycle.candidate(mask, steps, measure=measure or correction.accept == "better")
        candidates = retain(candidates, last, correction.accept)
    kept = candidates[-1]
    if correction.accept == "consistent" and previous is not None:
        apart = abs(subject.frame_index - previous.frame_index)
        chosen = consistent_choice(network, candidates, previous, objects, take_step.moved, apart)
        of_moved = chosen[take_step.moved]
        kept = candidates[int(of_moved.max())]
        if bool((of_moved != of_moved[0]).any()):
            kept = cycle.candidate(merged_mask(candidates, chosen), kept.step, measure=measure)
    distances = [distance for distance in (before, kept.distance) if distance is not None]
    scores = [1 - distance for distance in download(torch.stack(distances))[0].tolist()]
    after = math.nan if kept.distance is None else scores[-1]
    answered = subject.said is not None and subject.said.state is not None and kept.step == 0
    memory = None if answered else kept.memory
    return Corrected(with_background(kept.mask), memory, scores[0], after, steps, kept=kept.step > 0)


class _Reconstruction(NamedTuple):
    """The references reconstructed from one mask.

    Attributes:
        loss: their mean loss, a scalar; differentiable with respect to ``leaf`` if a gradient was requested.
        distance: 1 - their mean soft J, a scalar without a gradient.
        leaf: the foreground mask (K,H,W) to differentiate with respect to.
        memory: of the frame with that mask, without a gradient.
    """

    loss: Tensor
    distance: Tensor
    leaf: Tensor
    memory: FrameMemory


class _Cycle:
    """Reconstructs the references from masks of one frame."""

    def __init__(
        self,
        network: MemoryNetwork,
        subject: Subject,
        asked: Asked,
        objects: Sequence[int],
        hard_fraction: float,
        moved: Tensor,
    ) -> None:
        self._network, self._subject, self._hard_fraction = network, subject, hard_fraction
        self._asked = [(reference, who, reference.labels(objects)) for reference, who in asked]
        self._own = None if subject.said is None else ~moved[None]  # the other objects keep what was answered

    def reconstruct(self, mask: Tensor, *, gradient: bool = True) -> _Reconstruction:
        """Reconstruct every reference from a foreground mask (K,H,W)."""
        with torch.set_grad_enabled(gradient):
            leaf = mask.detach().requires_grad_(gradient)
            memory = self._encode(leaf)
            losses = []
            for reference, who, labels in self._asked:
                logits = reference.reconstructed(self._network, memory, who, self._subject.frame_index)
                losses.append(mask_loss(logits, labels, who[None], self._hard_fraction))
            loss = torch.stack([each.total for each in losses]).mean()
            distance = torch.stack([each.iou.detach() for each in losses]).mean()
        return _Reconstruction(loss, distance, leaf, memory.detach())

    def candidate(self, mask: Tensor, step: int, *, measure: bool) -> Candidate:
        """Encode a final mask; measuring it costs one reconstruction of each reference."""
        if measure:
            reconstruction = self.reconstruct(mask, gradient=False)
            return Candidate(mask, reconstruction.memory, reconstruction.distance, step)
        with torch.no_grad():
            return Candidate(mask, self._encode(mask), None, step)

    def _encode(self, mask: Tensor) -> FrameMemory:
        everyone = torch.ones(1, len(mask), dtype=torch.bool)
        memory: FrameMemory = self._network.encode_memory(
            self._subject.prepared, with_background(mask)[None], everyone, self._subject.said, self._own
        )
        return memory
