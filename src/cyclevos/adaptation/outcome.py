"""What came of an adaptation: how the loss fell, and whether the adapted weights are kept."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from cyclevos.words import counted

LEAST_CHANGE = -0.002
"""Change of what is known of the annotated frames, J&F in [0, 1], below which an adaptation is taken back."""


@dataclass(frozen=True)
class AdaptationOutcome:
    """What came of an adaptation.

    Attributes:
        steps: taken.
        loss_before: mean loss of the first quarter of them; None where no step had one that is a finite number.
        loss_after: that of the last quarter.
        known_before: J&F, in [0, 1], of the annotated frames and moved copies of them, segmented from themselves by the
            network as it was; None where they were not asked about.
        known_after: the same of the adapted network.
        reason: why the adapted weights are not kept, in words that follow "the network stays as it was: "; None = they
            are kept.
    """

    steps: int
    loss_before: float | None = None
    loss_after: float | None = None
    known_before: float | None = None
    known_after: float | None = None
    reason: str | None = None

    @classmethod
    def of(cls, losses: Sequence[float], reason: str | None) -> AdaptationOutcome:
        """Return the outcome of steps.

        Args:
            losses: of each step, before it; NaN where nothing could be reconstructed.
            reason: see the class.

        >>> AdaptationOutcome.of([0.7, 0.6, 0.5, 0.4], None)
        AdaptationOutcome(steps=4, loss_before=0.7, loss_after=0.4, known_before=None, known_after=None, reason=None)
        """
        known = [loss for loss in losses if math.isfinite(loss)]
        if not known:
            return cls(len(losses), reason=reason)
        quarter = max(1, len(known) // 4)
        before, after = (round(statistics.fmean(part), 4) for part in (known[:quarter], known[-quarter:]))
        return cls(len(losses), before, after, reason=reason)

    def judged(self, before: float, after: float) -> AdaptationOutcome:
        """Return the outcome after the guard: the adapted weights are taken back if they know less than those before.

        Args:
            before: what the network as it was knows of the annotated frames, see
                :func:`~cyclevos.adaptation.guard.knowledge`; NaN if they say nothing.
            after: the same of the adapted one.

        >>> AdaptationOutcome(20).judged(0.95, 0.92).text
        'the network stays as it was: it segmented the annotated frames worse afterwards (J&F 0.950, then 0.920)'
        """
        if math.isnan(before) or math.isnan(after):
            return self
        worse = after - before < LEAST_CHANGE
        words = f"it segmented the annotated frames worse afterwards (J&F {before:.3f}, then {after:.3f})"
        return replace(
            self, known_before=round(before, 4), known_after=round(after, 4), reason=words if worse else self.reason
        )

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> AdaptationOutcome:
        """Return the outcome that a record holds; see :meth:`as_record`."""
        known = {each.name for each in fields(cls)} & record.keys()  # older records have no figures of the guard
        return cls(**{name: record[name] for name in known})

    @property
    def kept(self) -> bool:
        """Whether the adapted weights are kept."""
        return self.reason is None

    @property
    def text(self) -> str:
        """The same in words, after "adapted: " or "not adapted: ".

        >>> AdaptationOutcome(20, 0.7, 0.4).text
        '20 steps, loss 0.700 to 0.400'
        """
        if self.reason is not None:
            return f"the network stays as it was: {self.reason}"
        fall = "" if self.loss_before is None else f", loss {self.loss_before:.3f} to {self.loss_after:.3f}"
        return f"{counted(self.steps, 'step')}{fall}"

    def as_record(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"kept": self.kept, **asdict(self)}
