"""What is known about a network before it is loaded, and which frames it remembers. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from cyclevos.errors import ConfigError


class Kind(IntEnum):
    """Why a frame is in memory; frames of the lowest kind are dropped first."""

    PREVIOUS = 0
    SAMPLED = 1
    REFERENCE = 2


@dataclass(frozen=True)
class MemoryPolicy:
    """Which frames are memory frames: annotated frames, every n-th frame and, for most networks, the previous one.

    Attributes:
        every: a frame is sampled if its distance from the first annotated one is a multiple of this.
        max_frames: most frames to hold, of all kinds together; the oldest sampled one is dropped first. None holds
            all.
        previous: the previous frame is a memory frame.
        since_last: the distance is counted from the last annotated frame instead.

    Raises:
        ConfigError: ``every`` is below 1 or ``max_frames`` below 2.
    """

    every: int = 5
    max_frames: int | None = 8
    previous: bool = True
    since_last: bool = False

    def __post_init__(self) -> None:
        """Check the numbers."""
        if self.every < 1:
            raise ConfigError(
                f"memory_every must be at least 1, got {self.every}.", "Give a whole number of frames from 1."
            )
        if self.max_frames is not None and self.max_frames < 2:
            raise ConfigError(
                f"max_memory_frames must be at least 2 (reference and previous frame), got {self.max_frames}.",
                "Give 2 or more, or no bound.",
            )


@dataclass(frozen=True)
class CloserLook:
    """How ``size="auto"`` enlarges frames with several objects of which one is small (docs/results/size.md).

    Attributes:
        length: what the square root of the smallest object's area should be inside the network, in pixels.
        most: how many times larger than the network's own size it may become, which bounds a frame's time and memory.
    """

    length: float
    most: float


@dataclass(frozen=True)
class NetworkTraits:
    """What is known about a network before it is loaded.

    Attributes:
        family: name of its family, for records and tables.
        size: shorter side in pixels at which its weights work best, the meaning of ``size="auto"`` unless one of
            several objects is small; None = the frames' own size.
        policy: its own memory policy, the meaning of ``memory_every="auto"`` and ``max_memory_frames="auto"``.
        closer: how closely ``size="auto"`` looks at several objects of which one is small; None = no closer than
            at others.
    """

    family: str
    size: int | None = None
    policy: MemoryPolicy = MemoryPolicy()
    closer: CloserLook | None = None
