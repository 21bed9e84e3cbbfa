"""Fits the reliability predictor to a network, and says how accurate it is on sequences that it was not fitted to.

Shapes: N masks, S signals.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from torch import Tensor
from torch.nn import functional as F

from cyclevos.analysis.signals import SignalTable
from cyclevos.errors import OutputError, WeightsError
from cyclevos.evaluation.calibration import Calibration, calibrate
from cyclevos.files.atomic import output_errors
from cyclevos.network.calibration import WEIGHTS_SHA256, calibration_metadata
from cyclevos.network.tensor_files import write_safetensors
from cyclevos.propagation.predictor import Predictor, load_predictor, uncalibrated

_FOLDS = 6
_STEPS = 300
_FEW_FAILURES = 10  # below that, the shape of the packaged predictor outweighs the failures of these videos

Fit = Callable[[SignalTable], Predictor]


@dataclass(frozen=True)
class Calibrated:
    """A predictor that was fitted to a network, and its accuracy.

    Attributes:
        predictor: fitted to all sequences.
        fitted: accuracy on held-out sequences (cross-validation).
        formula: accuracy of the uncalibrated formula on the same masks.
        sequences: number of sequences.
        failed: number of masks whose J is below 0.5.
    """

    predictor: Predictor
    fitted: Calibration
    formula: Calibration
    sequences: int
    failed: int


def calibrated(table: SignalTable) -> Calibrated:
    """Fit a predictor and measure it by cross-validation over whole sequences."""
    truth = table.truth.numpy()
    return Calibrated(
        fit_predictor(table),
        calibrate(held_out(table, fit_predictor), truth, table.sequences),
        calibrate(uncalibrated(table.signals).numpy(), truth, table.sequences),
        len(np.unique(table.sequences)),
        table.failed,
    )


def fit_predictor(table: SignalTable) -> Predictor:
    r"""Fit a predictor to true J, starting from the packaged one and staying near its shape.

    The J of masks of the right object has three parameters, which any video determines. Whether it is the right object
    can only be learned from failures, and good networks rarely fail, so the weights of that part are pulled towards the
    packaged predictor's, which has seen thousands of failures. The fewer there are, the more they are pulled:

    .. math:: mean(BCE(p, J) + |p - J|) + \|w - w_{packaged}\|^2 / (10 + failures)
    """
    start = load_predictor()
    exact, *doubt = (tensor.clone().requires_grad_() for tensor in (start.exact, start.hidden, start.output))
    pull = 1 / (_FEW_FAILURES + table.failed)
    optimiser = torch.optim.LBFGS([exact, *doubt], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimiser.zero_grad()
        predicted = start._replace(exact=exact, hidden=doubt[0], output=doubt[1])(table.signals)
        away = (doubt[0] - start.hidden).square().sum() + (doubt[1] - start.output).square().sum()
        value = distance(predicted, table.truth) + pull * away
        value.backward()
        return value

    with torch.enable_grad():
        optimiser.step(loss)
    return start._replace(exact=exact.detach(), hidden=doubt[0].detach(), output=doubt[1].detach())


def distance(predicted: Tensor, truth: Tensor) -> Tensor:
    """Return the cross-entropy between predicted and true J, plus the mean error."""
    return F.binary_cross_entropy(predicted, truth) + (predicted - truth).abs().mean()


def held_out(table: SignalTable, fit: Fit, folds: int = _FOLDS) -> np.ndarray:
    """Predict the masks of each sequence, (N,), with a predictor that was fitted to other sequences."""
    names = np.unique(table.sequences)
    predicted = np.zeros(len(table.truth), np.float32)
    for fold in range(min(folds, len(names))):
        out = np.isin(table.sequences, names[fold::folds])
        predicted[out] = fit(table.of(~out))(table.of(out).signals).numpy()
    return predicted


def save_predictor(found: Calibrated, path: Path, weights_sha256: str, fitted_on: Mapping[str, object]) -> None:
    """Write the predictor with what it holds for; an earlier calibration is replaced in one step.

    Args:
        found: the predictor and its figures.
        path: the file.
        weights_sha256: of the weights whose masks it was fitted to.
        fitted_on: data set, sequences, size and the like, as JSON values.

    Raises:
        OutputError: the file cannot be written, or holds something else than a calibration.
    """
    check_output(path)
    figures = {"cross_validated": asdict(found.fitted), "uncalibrated": asdict(found.formula)}
    metadata = {
        WEIGHTS_SHA256: weights_sha256,
        "fitted_on": json.dumps({**fitted_on, "failed": found.failed}),
        "figures": json.dumps(figures),
    }
    tensors = {name: value.contiguous() for name, value in found.predictor._asdict().items()}
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    write_safetensors(tensors, path, metadata)


def check_output(path: Path) -> None:
    """Refuse to replace a file that is not a calibration, such as the weights themselves.

    Raises:
        OutputError: the file holds something else.
    """
    if not path.exists():
        return
    try:
        load_predictor(path)
        ours = WEIGHTS_SHA256 in calibration_metadata(path)
    except (WeightsError, SafetensorError, OSError):
        ours = False
    if not ours:
        raise OutputError(f"{path} exists and is no calibration that cyclevos wrote.", "Give another file by --output.")
