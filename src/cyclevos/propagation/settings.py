"""How a video is segmented: the settings that Python calls, commands, app and cluster share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Literal, get_args

from cyclevos.errors import ConfigError
from cyclevos.network.traits import MemoryPolicy, NetworkTraits
from cyclevos.propagation.correction import PRESETS, USUAL, Correction, as_correction

Direction = Literal["forward", "backward", "both"]
InnerSize = int | Literal["auto"] | None
MemoryEvery = int | Literal["auto"]
MemoryBound = int | Literal["auto"] | None


@dataclass(frozen=True)
class SegmentationSettings:
    """How a video is segmented.

    Attributes:
        size: shorter side inside the network in pixels; ``"auto"`` = the size at which the weights work best, or a
            larger one for several objects of which one is small; None = the frames' own size.
        memory_every: every n-th frame stays in memory; ``"auto"`` = as the network likes it.
        max_memory_frames: most frames in memory, including annotated frames and the previous one; ``"auto"`` = as the
            network likes it, None = no bound.
        direction: from each annotated frame ``forward`` to later frames, ``backward`` to earlier ones, or ``both``.
        correction: how masks are corrected; None = not at all.

    Raises:
        ConfigError: a value is unknown or of the wrong kind.
    """

    size: InnerSize = "auto"
    memory_every: MemoryEvery = "auto"
    max_memory_frames: MemoryBound = "auto"
    direction: Direction = "forward"
    correction: Correction | None = PRESETS[USUAL]

    def __post_init__(self) -> None:
        """Check the values that are not checked where they are used."""
        if self.direction not in get_args(Direction):
            raise ConfigError(
                f"The direction {self.direction!r} is unknown.", f"Choose one of {', '.join(get_args(Direction))}."
            )
        if self.size not in ("auto", None) and not _is_whole(self.size):
            raise ConfigError(
                f"The size {self.size!r} is unknown.",
                "Use 'auto', a number of pixels, or None for the frames' own size.",
            )

        for name, value in (("memory_every", self.memory_every), ("max_memory_frames", self.max_memory_frames)):
            if not (_is_whole(value) or value == "auto" or (value is None and name == "max_memory_frames")):
                raise ConfigError(
                    f"{name} is {value!r}; expected a whole number or 'auto'.", "Give a number of frames, or 'auto'."
                )
        object.__setattr__(self, "correction", as_correction(self.correction))

    def resolved(self, traits: NetworkTraits) -> SegmentationSettings:
        """Return these settings with every ``"auto"`` replaced by what a network likes best.

        A size that depends on the objects stays ``"auto"``: :func:`~cyclevos.propagation.inner_size.sized` chooses it.
        """
        policy = self.policy(traits)
        size = traits.size if self.size == "auto" and traits.closer is None else self.size
        return replace(self, size=size, memory_every=policy.every, max_memory_frames=policy.max_frames)

    def policy(self, traits: NetworkTraits) -> MemoryPolicy:
        """Return the memory policy: the network's own with these settings' numbers.

        Raises:
            ConfigError: a number is out of range.
        """
        own = traits.policy
        return replace(
            own,
            every=own.every if self.memory_every == "auto" else self.memory_every,
            max_frames=own.max_frames if self.max_memory_frames == "auto" else self.max_memory_frames,
        )


def _is_whole(value: object) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
