"""The settings of adaptation, and their presets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cyclevos.errors import ConfigError
from cyclevos.propagation.checked_settings import changed_preset, check_values, whole, within


@dataclass(frozen=True)
class Adaptation:
    """How a network is adapted to a video.

    Attributes:
        steps: of the optimiser; 0 leaves the network as it is.
        rate: learning rate of AdamW.
        size: shorter side of the frames inside the network while it is adapted, in pixels; None = their own.
        gap: most frames between a reference frame and the first frame that it is carried to, and from there to the
            second.
        least_area: a mask that has shrunk below this share of the reference's area says nothing: it is left out.
        hard_fraction: share of the hardest pixels in the loss's cross-entropy.
        decoder: whether the decoder learns too: the parameters with that word in their name. It draws the outlines, and
            unlearns them at the size of the steps.
        guard: take the adaptation back if the network then segments the annotated frames worse than before.
        seed: of the draws.

    Raises:
        ConfigError: a value is out of range.
    """

    steps: int = 10
    rate: float = 6e-5
    size: int | None = 384
    gap: int = 30
    least_area: float = 0.1
    hard_fraction: float = 0.4
    decoder: bool = False
    guard: bool = True
    seed: int = 1

    def __post_init__(self) -> None:
        """Check the values."""
        checks = (
            ("steps", whole(self.steps, 0), "a whole number from 0"),
            ("rate", within(self.rate, 1), "a number in (0, 1]"),
            ("size", self.size is None or whole(self.size, 32), "a number of pixels from 32, or none"),
            ("gap", whole(self.gap, 1), "a whole number from 1"),
            ("least_area", within(self.least_area, 1), "a number in (0, 1]"),
            ("hard_fraction", within(self.hard_fraction, 1), "a number in (0, 1]"),
            ("decoder", isinstance(self.decoder, bool), "true or false"),
            ("guard", isinstance(self.guard, bool), "true or false"),
            ("seed", whole(self.seed, 0), "a whole number from 0"),
        )
        check_values("adaptation", self, checks)

    @classmethod
    def preset(cls, name: str, **overrides: Any) -> Adaptation:
        """Return a named adaptation with some values changed.

        Raises:
            ConfigError: the preset or the name of a value is unknown.
        """
        return changed_preset("an adaptation", PRESETS, name, overrides)


def as_adaptation(adaptation: Adaptation | str) -> Adaptation:
    """Return an adaptation as it is, and the preset of a name.

    Raises:
        ConfigError: it is neither an adaptation nor the name of a preset.
    """
    if isinstance(adaptation, str):
        return Adaptation.preset(adaptation)
    if not isinstance(adaptation, Adaptation):
        raise ConfigError(
            f"The adaptation is {adaptation!r}; expected an Adaptation or the name of a preset.",
            'Use cyclevos.Adaptation.preset("default").',
        )
    return adaptation


PRESETS: dict[str, Adaptation] = {"default": Adaptation()}
