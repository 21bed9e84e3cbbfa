"""Fitting the predictor: it learns what its signals tell, and stays near the packaged one where they tell little."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from cyclevos.analysis.calibration import calibrated, check_output, fit_predictor, held_out, save_predictor
from cyclevos.analysis.signals import SignalTable
from cyclevos.errors import OutputError
from cyclevos.evaluation.calibration import calibrate
from cyclevos.network.calibration import WEIGHTS_SHA256, calibration_metadata
from cyclevos.propagation.predictor import SIGNALS, Predictor, load_predictor, log_odds


def network_with_other_numbers(seed: int, masks: int = 400, failures: float = 0.2) -> SignalTable:
    """A network whose probabilities are too low, and whose cycle is at 0.6 for good masks and at 0.2 for lost ones."""
    rng = np.random.default_rng(seed)
    true_j = np.where(rng.random(masks) < failures, rng.uniform(0.0, 0.3, masks), rng.uniform(0.7, 0.98, masks))
    lost = true_j < 0.5
    expected = np.where(lost, rng.uniform(0.5, 0.75, masks), 0.55 + 0.25 * (true_j - 0.7) / 0.28)
    cycle = np.where(lost, 0.2, 0.6) + rng.normal(0, 0.03, masks)
    signals = torch.zeros(masks, len(SIGNALS))
    for name, values in {"expected": expected, "confidence": np.full(masks, 0.8), "cycle": cycle}.items():
        signals[:, SIGNALS.index(name)] = torch.tensor([log_odds(value) for value in values])
    signals[:, SIGNALS.index("size")] = -2
    return SignalTable(signals, torch.from_numpy(true_j).float(), np.arange(masks) % 8)


def figures(predicted: torch.Tensor, table: SignalTable):
    return calibrate(predicted.numpy(), table.truth.numpy(), table.sequences)


def test_a_fit_predicts_masks_that_it_has_not_seen():
    fitted = fit_predictor(network_with_other_numbers(0))
    other = network_with_other_numbers(1)
    packaged, own = figures(load_predictor()(other.signals), other), figures(fitted(other.signals), other)
    assert own.mean_error < 0.06 < 0.12 < packaged.mean_error
    assert own.auroc > 0.99
    assert own.spearman > 0.9


def test_without_failures_the_doubt_stays_near_the_packaged_one():
    start = load_predictor()
    few, many = (fit_predictor(network_with_other_numbers(0, failures=share)) for share in (0.0, 0.5))

    def away(fitted: Predictor) -> float:
        return float((fitted.hidden - start.hidden).norm() + (fitted.output - start.output).norm())

    assert 0 < away(few) < 0.5 * away(many)
    assert not torch.equal(few.exact, start.exact)
    assert torch.equal(few.mean, start.mean)


def test_the_same_masks_give_the_same_predictor():
    first, second = (fit_predictor(network_with_other_numbers(3)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def test_a_sequence_is_predicted_by_a_fit_to_the_others():
    table = network_with_other_numbers(0, masks=40)
    seen = []

    def fit(some: SignalTable) -> Predictor:
        seen.append(set(some.sequences.tolist()))
        return load_predictor()

    predicted = held_out(table, fit, folds=4)
    np.testing.assert_allclose(predicted, load_predictor()(table.signals).numpy(), rtol=1e-6)
    everything = set(range(8))
    assert [everything - each for each in seen] == [{0, 4}, {1, 5}, {2, 6}, {3, 7}]


def test_the_accuracy_reported_is_that_on_held_out_sequences():
    table = network_with_other_numbers(0)
    found = calibrated(table)
    assert (found.fitted.masks, found.sequences, found.failed) == (400, 8, int((table.truth < 0.5).sum()))
    assert found.fitted == calibrate(held_out(table, fit_predictor), table.truth.numpy(), table.sequences)
    assert found.fitted.mean_error < found.formula.mean_error


def test_the_file_says_what_it_was_fitted_to(tmp_path):
    path = tmp_path / "runs" / "a.reliability.safetensors"
    found = calibrated(network_with_other_numbers(0, masks=80))
    save_predictor(found, path, "ab" * 32, {"dataset": "DAVIS", "sequences": ["ape"], "size": 480})
    loaded = load_predictor(path)
    assert all(torch.equal(a, b) for a, b in zip(loaded, found.predictor, strict=True))
    metadata = calibration_metadata(path)
    assert metadata[WEIGHTS_SHA256] == "ab" * 32
    fitted_on = json.loads(metadata["fitted_on"])
    assert fitted_on == {"dataset": "DAVIS", "sequences": ["ape"], "size": 480, "failed": found.failed}
    assert json.loads(metadata["figures"])["cross_validated"]["mean_error"] == found.fitted.mean_error
    save_predictor(found, path, "cd" * 32, {})
    assert calibration_metadata(path)[WEIGHTS_SHA256] == "cd" * 32
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_of_another_kind_is_never_replaced(tmp_path):
    weights = tmp_path / "last.safetensors"
    save_file({"mean": torch.zeros(3)}, weights)
    before = weights.read_bytes()
    for content in (before, b"notes", b""):
        weights.write_bytes(content)
        with pytest.raises(OutputError, match="is no calibration that cyclevos wrote"):
            check_output(weights)
        with pytest.raises(OutputError):
            save_predictor(calibrated(network_with_other_numbers(0, masks=80)), weights, "ab" * 32, {})
        assert weights.read_bytes() == content
    save_file(load_predictor()._asdict(), weights)  # the packaged one, which names no weights
    with pytest.raises(OutputError):
        check_output(weights)
