"""How well scores predicted without ground truth separate good masks from bad ones.

Shapes: N masks.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata, spearmanr

FAILED = 0.5
"""A mask whose J is below this counts as failed."""


@dataclass(frozen=True)
class Calibration:
    """Comparison of predicted J with true J; None if a figure is undefined.

    Attributes:
        masks: number of compared masks.
        spearman: rank correlation over all masks; None if either side is constant.
        spearman_within: the mean of the groups' own rank correlations.
        auroc: probability that a good mask ranks above a failed one; None unless both kinds exist.
        mean_error: mean distance between prediction and truth.
    """

    masks: int
    spearman: float | None
    spearman_within: float | None
    auroc: float | None
    mean_error: float


def calibrate(
    predicted: npt.NDArray[np.floating[Any]], truth: npt.NDArray[np.floating[Any]], groups: npt.NDArray[Any]
) -> Calibration:
    """Compare predictions with the truth.

    Args:
        predicted: (N,), any scale for the rank figures, 0..1 for the mean error.
        truth: (N,), true J.
        groups: (N,), the group of each mask, for example the number of its sequence.

    Raises:
        ValueError: the lengths differ or are 0.

    >>> calibrate(np.array([1.0, 0.25, 0.75]), np.array([0.75, 0.0, 1.0]), np.zeros(3))
    Calibration(masks=3, spearman=0.5, spearman_within=0.5, auroc=1.0, mean_error=0.25)
    """
    if not 0 < len(predicted) == len(truth) == len(groups):
        raise ValueError(f"expected as many of each, at least one; got {len(predicted)}, {len(truth)}, {len(groups)}")
    within = [_spearman(predicted[groups == group], truth[groups == group]) for group in np.unique(groups)]
    defined = [value for value in within if value is not None]
    return Calibration(
        masks=len(truth),
        spearman=_spearman(predicted, truth),
        spearman_within=float(np.mean(defined)) if defined else None,
        auroc=_auroc(predicted, truth < FAILED),
        mean_error=float(np.abs(predicted - truth).mean()),
    )


def _spearman(predicted: npt.NDArray[np.floating[Any]], truth: npt.NDArray[np.floating[Any]]) -> float | None:
    if not np.ptp(predicted) or not np.ptp(truth):
        return None
    return float(spearmanr(predicted, truth)[0])


def _auroc(predicted: npt.NDArray[np.floating[Any]], failed: npt.NDArray[np.bool_]) -> float | None:
    good, bad = int((~failed).sum()), int(failed.sum())
    if not good or not bad:
        return None
    ranks = rankdata(predicted)
    return float((ranks[~failed].sum() - good * (good + 1) / 2) / (good * bad))
