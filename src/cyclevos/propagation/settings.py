"""How a video is segmented: the settings that Python, commands, app and cluster share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, get_args

from cyclevos.errors import ConfigError
from cyclevos.propagation.correction import Correction

Direction = Literal["forward", "backward", "both"]
InnerSize = int | Literal["auto"] | None


@dataclass(frozen=True)
class SegmentationSettings:
    """How a video is segmented.

    Attributes:
        size: shorter side inside the network in pixels; ``"auto"`` = the size that the weights do best at, None =
            the frames' own size.
        memory_every: every n-th frame stays in memory.
        max_memory_frames: frames in memory at most, the annotated and the previous one included; None = no bound.
        direction: from each annotated frame ``forward`` to later frames, ``backward`` to earlier ones, or ``both``.
        correction: how masks are corrected; None = not at all.

    Raises:
        ConfigError: the direction or the size is unknown.
    """

    size: InnerSize = "auto"
    memory_every: int = 5
    max_memory_frames: int | None = 8
    direction: Direction = "forward"
    correction: Correction | None = None

    def __post_init__(self) -> None:
        """Check the values that nothing further down checks."""
        if self.direction not in get_args(Direction):
            raise ConfigError(
                f"The direction {self.direction!r} is unknown.", f"Choose one of {', '.join(get_args(Direction))}."
            )
        if isinstance(self.size, str) and self.size != "auto":
            raise ConfigError(
                f"The size {self.size!r} is unknown.",
                "Use 'auto', a number of pixels, or None for the frames' own size.",
            )

    @property
    def inner_size(self) -> int | None:
        """The size, once it is resolved: shorter side inside the network in pixels, None = the frames' own.

        Raises:
            ValueError: it is still ``"auto"``.
        """
        if self.size == "auto":
            raise ValueError("resolve the settings first: what 'auto' stands for depends on the weights")
        return self.size

    def resolved(self, best_size: int | None) -> SegmentationSettings:
        """Return these settings with the size that ``auto`` stands for.

        Args:
            best_size: the size that the weights do best at, in pixels; None = the frames' own.
        """
        return replace(self, size=best_size) if self.size == "auto" else self
