"""The settings of corrections, and their presets."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from cyclevos.errors import ConfigError
from cyclevos.propagation.checked_settings import changed_preset, check_values, whole, within

RateUnit = Literal["pixel", "mean"]
ApplyTo = Literal["both", "output", "memory"]
Accept = Literal["always", "better", "consistent"]
ReferenceChoice = Literal["latest", "all"]


@dataclass(frozen=True)
class Correction:
    """When and how masks are corrected.

    Attributes:
        steps: gradient steps at most; 0 takes none.
        every: every n-th frame is corrected, counted from the first annotated one.
        rate: length of a step.
        rate_unit: what the rate multiplies: ``mean``, the gradient of the loss, which is a mean over pixels (the
            authors' convention; the same rate has less effect on larger frames), or ``pixel``, the gradient of the
            sum over the hardest pixels (the same effect at every size).
        project: after each step, clamp the mask to [0, 1] and scale overlapping objects to a sum of 1.
        apply_to: where the corrected mask goes: the ``output``, the ``memory``, or ``both``.
        reference: reconstruct the ``latest`` annotated frame of each object, or ``all`` annotated frames, including
            those not reached yet.
        stop_at: stop as soon as the reconstructed reference reaches this soft J; a mask that already reaches it is
            not corrected. None never stops early.
        grow_from: a step raises a pixel in full if its probability was at least this value, and proportionally less
            below it, so that masks do not grow in distant places. None raises every pixel in full.
        accept: ``always`` keeps the last step; ``better`` keeps the step that reconstructs the reference best, or the
            original mask; ``consistent`` keeps, for each object, the last step that reconstructs the previous frame's
            mask at least as well as the original mask does, or the original mask.
        hard_fraction: share of the hardest pixels in the loss's cross-entropy.
        prune: in every frame, drop islands from output and memory: pieces of a mask far from its largest one, without
            which the latest annotated frame, or the frame before, is reconstructed better. It needs no gradients.

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
    grow_from: float | None = None
    accept: Accept = "always"
    hard_fraction: float = 0.4
    prune: bool = False

    def __post_init__(self) -> None:
        """Check the values."""
        checks = (
            ("steps", whole(self.steps, 0), "a whole number from 0"),
            ("every", whole(self.every, 1), "a whole number from 1"),
            ("rate", within(self.rate, math.inf) and math.isfinite(self.rate), "a positive number"),
            ("project", isinstance(self.project, bool), "true or false"),
            ("stop_at", self.stop_at is None or within(self.stop_at, 1), "a number in (0, 1] or none"),
            ("grow_from", self.grow_from is None or within(self.grow_from, 1), "a number in (0, 1] or none"),
            ("prune", isinstance(self.prune, bool), "true or false"),
            ("hard_fraction", within(self.hard_fraction, 1), "a number in (0, 1]"),
            *(
                (name, getattr(self, name) in get_args(kind), "one of " + ", ".join(get_args(kind)))
                for name, kind in _CHOICES.items()
            ),
        )
        check_values("correction", self, checks)

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> Correction:
        """Return a named correction with some values changed.

        Args:
            name: ``prune``, which drops islands and does nothing else; ``default``, ours; ``paper``, the settings of
                the authors' program.
            **overrides: values by name.

        Raises:
            ConfigError: the preset or the name of a value is unknown, or a value is for gradient steps, of which there
                are none.
        """
        correction = changed_preset("a correction", PRESETS, name, overrides)
        idle = [key for key in overrides if key not in ("steps", "prune")]
        if idle and not correction.steps:
            raise ConfigError(
                f"{idle[0]} changes gradient steps, but the correction {name} takes none.",
                "To take gradient steps, begin from default or paper.",
            )
        return correction


def as_correction(correction: Correction | str | None) -> Correction | None:
    """Return a correction as it is, and the preset of a name.

    Raises:
        ConfigError: it is neither a correction nor the name of a preset.
    """
    if isinstance(correction, str):
        return Correction.preset(correction)
    if not isinstance(correction, Correction | None):
        raise ConfigError(
            f"The correction is {correction!r}; expected a Correction, the name of a preset, or None.",
            'Use cyclevos.Correction.preset("default").',
        )
    return correction


_CHOICES = {"rate_unit": RateUnit, "apply_to": ApplyTo, "reference": ReferenceChoice, "accept": Accept}


USUAL: Final = "prune"
"""Name of the correction where nobody chooses one."""

_OURS = Correction(
    steps=2, rate=0.015, rate_unit="pixel", apply_to="both", grow_from=0.3, accept="consistent", prune=True
)
PRESETS: dict[str, Correction] = {"prune": replace(_OURS, steps=0), "paper": Correction(), "default": _OURS}
