"""The schedule of a run: which of its steps become memory frames."""

from __future__ import annotations

from dataclasses import dataclass

from cyclevos.network.traits import Kind, MemoryPolicy


@dataclass
class Schedule:
    """Counts the steps of a run.

    Attributes:
        policy: which frames are memory frames.
        steps: taken since the first annotated frame, which is step 0.
        since: steps since the last annotated or sampled frame.
    """

    policy: MemoryPolicy
    steps: int = 0
    since: int = 0

    @property
    def sampled(self) -> bool:
        """Whether the step that comes next is sampled."""
        distance = self.since + 1 if self.policy.since_last else self.steps
        return distance % self.policy.every == 0

    def kind(self, *, annotated: bool) -> Kind | None:
        """Return why the frame of the step that comes next is a memory frame; None if it is none."""
        if annotated:
            return Kind.REFERENCE
        if self.sampled:
            return Kind.SAMPLED
        return Kind.PREVIOUS if self.policy.previous else None

    def advance(self, kind: Kind | None, *, again: bool) -> None:
        """Count a step.

        Args:
            kind: why its frame is a memory frame; None if it is none.
            again: the frame was in memory already, so that its step is counted.
        """
        self.steps += not again
        self.since = self.since + 1 if kind in (None, Kind.PREVIOUS) else 0
