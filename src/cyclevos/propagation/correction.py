"""Gradient correction (Eq. 5): move a mask so that the known mask of the reference frame comes out better."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal, NamedTuple, get_args

import torch
from torch import Tensor

from cyclevos.cycle import rebuild_reference, rebuilt_iou
from cyclevos.errors import ConfigError
from cyclevos.losses import mask_loss
from cyclevos.masks import most_probable
from cyclevos.network.protocol import MemoryFeatures, MemoryInput, MemoryNetwork
from cyclevos.propagation.references import Reference

# Shapes: K object slots, O objects present, H W pixels inside the network, h w cells at stride 16.

RateUnit = Literal["pixel", "mean"]
ApplyTo = Literal["both", "output", "memory"]
Accept = Literal["always", "better"]
ReferenceChoice = Literal["latest", "all"]


@dataclass(frozen=True)
class Correction:
    """When and how masks are corrected.

    Attributes:
        steps: gradient steps at most; 0 corrects nothing.
        every: every n-th frame is corrected, counted from the first annotated one.
        rate: length of a step.
        rate_unit: what the rate multiplies: the gradient of the loss as it is, a mean over pixels
            (``mean``, the authors' convention: the same number does less on larger frames), or of the
            sum over the hardest pixels (``pixel``, the same at every size).
        project: clamp the mask to [0, 1] after each step and objects that overlap to a sum of 1.
        apply_to: where the corrected mask goes: the ``output``, the ``memory``, or ``both``.
        reference: ask for the ``latest`` annotated frame, or for ``all`` of them, later ones too.
        stop_at: stop as soon as the reference is rebuilt with this soft J; a frame that starts there is
            not corrected. None never stops early.
        accept: ``always`` keeps the last step, ``better`` the one that rebuilt the reference best,
            which may be none.
        hard_fraction: share of the hardest pixels in the loss's cross-entropy.

    Raises:
        ConfigError: a value is out of range.
    """

    steps: int = 10
    every: int = 5
    rate: float = 180.0
    rate_unit: RateUnit = "mean"
    project: bool = False
    apply_to: ApplyTo = "memory"
    reference: ReferenceChoice = "latest"
    stop_at: float | None = None
    accept: Accept = "always"
    hard_fraction: float = 0.4

    def __post_init__(self) -> None:
        """Check the values."""
        for name, fits, allowed in (
            ("steps", isinstance(self.steps, int) and self.steps >= 0, "a whole number from 0"),
            ("every", isinstance(self.every, int) and self.every >= 1, "a whole number from 1"),
            ("rate", _within(self.rate, math.inf) and math.isfinite(self.rate), "a positive number"),
            ("project", isinstance(self.project, bool), "true or false"),
            ("stop_at", self.stop_at is None or _within(self.stop_at, 1), "a number in (0, 1] or none"),
            ("hard_fraction", _within(self.hard_fraction, 1), "a number in (0, 1]"),
            *(
                (name, getattr(self, name) in get_args(kind), "one of " + ", ".join(get_args(kind)))
                for name, kind in _CHOICES.items()
            ),
        ):
            if not fits:
                raise ConfigError(f"correction {name} is {getattr(self, name)!r}; expected {allowed}.")

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> Correction:
        """Return a named correction with some values changed.

        Args:
            name: ``paper``, what the authors' program does, or ``default``, ours.
            **overrides: values by name.

        Raises:
            ConfigError: there is no such preset or value.
        """
        if name not in PRESETS:
            raise ConfigError(f"correction preset {name!r} is unknown; expected one of {', '.join(PRESETS)}.")
        known = [field.name for field in fields(cls)]
        unknown = [key for key in overrides if key not in known]
        if unknown:
            raise ConfigError(f"correction has no {unknown[0]!r}; expected any of {', '.join(known)}.")
        return replace(PRESETS[name], **overrides)


_CHOICES = {"rate_unit": RateUnit, "apply_to": ApplyTo, "reference": ReferenceChoice, "accept": Accept}


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


def correct(
    network: MemoryNetwork,
    prepared: MemoryInput,
    probabilities: Tensor,
    references: Sequence[Reference],
    objects: Sequence[int],
    correction: Correction,
    *,
    measure: bool = False,
) -> Corrected:
    """Correct the mask of one frame.

    Objects that a reference does not show or that the frame has lost are left as they are.

    Args:
        network: any memory network; none of its parameters gets a gradient.
        prepared: what its ``prepare_memory`` made of the frame.
        probabilities: the frame's predicted soft mask (K+1,H,W).
        references: annotated frames to ask for.
        objects: the user's id of each slot.
        correction: how.
        measure: ask how good the mask became even where that decides nothing, at one forward pass.
    """
    visible = torch.bincount(most_probable(probabilities).flatten(), minlength=len(probabilities))[1:] > 0  # (K,)
    asked = [(reference, reference.shows(objects) & visible) for reference in references]
    asked = [(reference, who) for reference, who in asked if bool(who.any())]
    if not asked or not correction.steps:
        return Corrected(probabilities, None, math.nan, math.nan, 0, kept=False)
    return descend(network, prepared, probabilities, asked, objects, correction, measure=measure)


def descend(
    network: MemoryNetwork,
    prepared: MemoryInput,
    probabilities: Tensor,
    asked: Sequence[tuple[Reference, Tensor]],
    objects: Sequence[int],
    correction: Correction,
    before_step: Callable[[int], object] | None = None,
    *,
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
        measure: see :func:`correct`.
    """
    moved = torch.stack([who for _, who in asked]).any(dim=0)[:, None, None]  # (K,1,1)
    rate = correction.rate
    if correction.rate_unit == "pixel":
        rate *= max(1, round(correction.hard_fraction * probabilities[0].numel()))
    mask = probabilities[1:].detach().clone()  # (K,H,W)
    keep_last = correction.accept == "always"
    before = after = math.nan
    best, features, taken = mask, None, 0
    for step in range(correction.steps + 1):
        last = step == correction.steps
        if last and keep_last and not measure:
            with torch.no_grad():
                features = network.encode_memory(prepared, _with_background(mask)[None], _everyone(mask))
            return Corrected(_with_background(mask), features, before, math.nan, step, kept=True)
        if before_step is not None:
            before_step(step)
        loss, score, memory, leaf = _ask(network, prepared, mask, asked, objects, correction, gradient=not last)
        before = score if step == 0 else before
        if step == 0 or keep_last or score > after:
            after, best, features, taken = score, mask, memory, step
        if last or (correction.stop_at is not None and score >= correction.stop_at):
            break
        (gradient,) = torch.autograd.grad(loss, leaf)
        mask = mask - rate * gradient * moved
        if correction.project:
            mask = _project(mask)
    return Corrected(_with_background(best), features, before, after, step, kept=taken > 0)


def as_probabilities(corrected: Tensor) -> Tensor:
    """Make what unprojected steps left (K+1,H,W) fit to be shown: in [0, 1], summing to 1."""
    return _with_background(_project(corrected[1:]))


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
        losses, scores = [], []
        for reference, who in asked:
            labels = reference.labels(objects)
            logits = rebuild_reference(network, memory.select(who), reference.query, who[None])
            losses.append(mask_loss(logits, labels, who[None], correction.hard_fraction).total)
            with torch.no_grad():
                scores.append(rebuilt_iou(logits, labels, who[None])[0][who].mean())
        score = float(torch.stack(scores).mean())
        detached = MemoryFeatures(memory.key.detach(), memory.value.detach())
        return torch.stack(losses).mean(), score, detached, leaf


def _within(value: object, top: float) -> bool:
    return isinstance(value, int | float) and 0 < value <= top


def _project(mask: Tensor) -> Tensor:
    """Bring foreground masks (K,H,W) back to probabilities that leave the background none below zero."""
    clamped = mask.clamp(0, 1)
    return clamped / clamped.sum(dim=0, keepdim=True).clamp(min=1)


def _with_background(mask: Tensor) -> Tensor:
    return torch.cat([1 - mask.sum(dim=0, keepdim=True), mask])


def _everyone(mask: Tensor) -> Tensor:
    return torch.ones(1, len(mask), dtype=torch.bool, device=mask.device)


PRESETS: dict[str, Correction] = {
    "paper": Correction(),
    "default": Correction(steps=2, rate=0.0075, rate_unit="pixel", apply_to="both"),
}
