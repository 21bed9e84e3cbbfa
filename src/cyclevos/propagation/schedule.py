"""The schedule of a run: which of its steps become memory frames, and which are corrected."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cyclevos.network.traits import Kind, MemoryPolicy


@dataclass(frozen=True)
class Schedule:
    """Counts the steps of a run.

    Attributes:
        policy: which frames are memory frames.
        steps: taken since the first annotated frame, which is step 0.
        since: steps since the last annotated frame.
    """

    policy: MemoryPolicy
    steps: int = 0
    since: int = 0

    @property
    def sampled(self) -> bool:
        """Whether the step that comes next is sampled."""
        return self.due(self.policy.every)

    def due(self, every: int) -> bool:
        """Return whether the step that comes next is one of every n.

        They are counted as the policy counts, so that corrections with the same n are in sampled frames.
        """
        distance = self.since + 1 if self.policy.since_last else self.steps
        return distance % every == 0

    def kind(self, *, annotated: bool) -> Kind | None:
        """Return why the frame of the step that comes next is a memory frame; None if it is none."""
        if annotated:
            return Kind.REFERENCE
        if self.sampled:
            return Kind.SAMPLED
        return Kind.PREVIOUS if self.policy.previous else None

    def after(self, kind: Kind | None, *, again: bool) -> Schedule:
        """Return the schedule after a step.

        Args:
            kind: why its frame is a memory frame; None if it is none.
            again: the frame was in memory already, so that its step is counted.
        """
        since = 0 if kind is Kind.REFERENCE else self.since + 1
        return replace(self, steps=self.steps + (not again), since=since)
