"""What turns the signals of a mask into a number: a predictor fitted to a network, or one formula for every network.

Shapes: K masks, S signals, U hidden units.
"""

from __future__ import annotations

import logging
import math
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from cyclevos.errors import WeightsError
from cyclevos.network.calibration import PACKAGED_CALIBRATION

SIGNALS = (
    "expected",  # J of the mask, assuming that its probabilities are calibrated
    "size",  # log of the mask's share of the frame
    "confidence",  # mean probability inside the mask, over about the last ten frames
    "area",  # log of the mask's area over the reference's
    "misfit",  # absolute value of area
    "cycle",  # J of the reconstructed reference, in the last frame where it was computed
)
SHARES = ("expected", "confidence", "cycle")
"""The signals that are log-odds of shares (see :func:`log_odds`), because 0.99 is far from 0.95."""

OF_THE_MASK = 2
"""Number of the first signals, which describe the mask alone."""


logger = logging.getLogger(__name__)


class Predictor(NamedTuple):
    """Maps signals to J: the J of a mask of the right object, times the probability that it is the right object.

    The first factor follows from the signals of the mask alone; a network of one hidden layer predicts the second from
    the other signals.

    Attributes:
        mean: (S,), subtracted from the signals.
        scale: (S,), divides the signals.
        exact: (3,), factors of the first two signals and the offset.
        hidden: (U,S-1), weights of the other signals, the last column the bias.
        output: (U+1,), the last one the bias.
    """

    mean: Tensor
    scale: Tensor
    exact: Tensor
    hidden: Tensor
    output: Tensor

    def __call__(self, signals: Tensor) -> Tensor:
        """Predict J in [0, 1], (K,), from signals (K,S)."""
        x = ((signals - self.mean) / self.scale).clamp(-4, 4)
        exact = torch.sigmoid(x[:, :OF_THE_MASK] @ self.exact[:-1] + self.exact[-1])
        seen = torch.tanh(F.linear(x[:, OF_THE_MASK:], self.hidden[:, :-1], self.hidden[:, -1]))
        return exact * torch.sigmoid(seen @ self.output[:-1] + self.output[-1])


def uncalibrated(signals: Tensor) -> Tensor:
    r"""Return a reliability in [0, 1], (K,), from signals (K,S) of a network that no predictor was fitted to.

    .. math:: expected \cdot \min(1, 2\,cycle) \cdot \min(1, 2\,area)

    That is the J that the mask would have if its probabilities were right, lowered where less than half of the
    reference can be reconstructed from it, or where it has less than half of the reference's area. Each of these means
    the same for every network. Of the formulas tried over these signals, it is among the best by Spearman over all
    masks, Spearman within a sequence and AUROC of J < 0.5 together, on DAVIS-2016 with the packaged network as it is,
    at a smaller size, and with noise on its weights (docs/results/reliability.md).
    """
    expected, cycle = (share_of(signals[:, SIGNALS.index(name)]) for name in ("expected", "cycle"))
    area = signals[:, SIGNALS.index("area")].clamp(max=0).exp()  # more area than the reference's counts as the same
    return expected * (2 * cycle).clamp(max=1) * (2 * area).clamp(max=1)


def log_odds(share: float) -> float:
    """Return the log-odds of a share in [0, 1], kept finite at both ends."""
    return math.log((share + 0.01) / (1.01 - share))


def share_of(odds: Tensor) -> Tensor:
    """Return the shares in [0, 1] of their :func:`log_odds`.

    >>> round(float(share_of(torch.tensor(log_odds(0.25)))), 4)
    0.25
    """
    return (1.02 * torch.sigmoid(odds) - 0.01).clamp(0, 1)


def load_predictor(path: Path = PACKAGED_CALIBRATION) -> Predictor:
    """Load a predictor, by default the packaged one.

    Raises:
        WeightsError: the file cannot be read, or does not hold a predictor for these signals.
    """
    try:
        tensors = load_file(path)
        predictor = Predictor(**tensors)
        units = len(predictor.hidden)
        wanted = ((len(SIGNALS),), (len(SIGNALS),), (3,), (units, len(SIGNALS) - 1), (units + 1,))
        fits = tuple(tuple(tensor.shape) for tensor in predictor) == wanted
    except (SafetensorError, OSError, TypeError):
        fits = False
    if not fits:
        raise WeightsError(
            f"{path} holds no reliability predictor for the signals {', '.join(SIGNALS)}.",
            "Remove it, or fit one to these weights with cyclevos calibrate; reinstall cyclevos if it came with it.",
        )
    return predictor


def predictor_of(calibration: Path | None) -> Predictor | None:
    """Return the predictor that was fitted to a network; None, with one warning, if there is none that can be used.

    Args:
        calibration: its file, as the network names it.
    """
    if calibration is None:
        return None
    try:
        return _usable(calibration, calibration.stat().st_mtime_ns)
    except OSError as error:
        logger.warning("%s cannot be read (%s): reliability is uncalibrated", calibration, error)
        return None


@lru_cache(maxsize=32)
def _usable(path: Path, _stamp: int) -> Predictor | None:
    """Load a predictor once for every time that its file was written; None if it is not one."""
    try:
        return load_predictor(path)
    except WeightsError as error:
        logger.warning("%s Reliability is uncalibrated.", error.problem)
        return None
