"""What came of an adaptation: how the loss fell, and whether the adapted weights are kept."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from cyclevos.words import counted


@dataclass(frozen=True)
class AdaptationOutcome:
    """What came of an adaptation.

    Attributes:
        steps: taken.
        loss_before: mean loss of the first quarter of them; None where no step had one that is a finite number.
        loss_after: that of the last quarter.
        reason: why the adapted weights are not kept, in words that follow "the network stays as it was: "; None = they
            are kept.
    """

    steps: int
    loss_before: float | None = None
    loss_after: float | None = None
    reason: str | None = None

    @classmethod
    def of(cls, losses: Sequence[float], reason: str | None) -> AdaptationOutcome:
        """Return the outcome of steps.

        Args:
            losses: of each step, before it; NaN where nothing could be reconstructed.
            reason: see the class.

        >>> AdaptationOutcome.of([0.7, 0.6, 0.5, 0.4], None)
        AdaptationOutcome(steps=4, loss_before=0.7, loss_after=0.4, reason=None)
        """
        known = [loss for loss in losses if math.isfinite(loss)]
        if not known:
            return cls(len(losses), reason=reason)
        quarter = max(1, len(known) // 4)
        before, after = (round(statistics.fmean(part), 4) for part in (known[:quarter], known[-quarter:]))
        return cls(len(losses), before, after, reason)

    @classmethod
    def read(cls, record: Mapping[str, Any]) -> AdaptationOutcome:
        """Return the outcome that a record holds; see :meth:`as_record`."""
        return cls(**{each.name: record[each.name] for each in fields(cls)})

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
