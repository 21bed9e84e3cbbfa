"""Reliability: what is asked of each frame, and what is left out."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch.utils._python_dispatch import TorchDispatchMode

import cyclevos
from cyclevos.cycle import reconstruct_reference, reconstruction_iou
from cyclevos.errors import WeightsError
from cyclevos.network.calibration import PACKAGED_CALIBRATION
from cyclevos.network.stm.features import QueryFeatures
from cyclevos.network.traits import MemoryPolicy
from cyclevos.propagation.predictor import SHARES, SIGNALS, Predictor, load_predictor, log_odds, uncalibrated
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.references import Reference, References
from cyclevos.propagation.reliability import Reliability


def echo(signal: str) -> Predictor:
    """A predictor that rises with one signal alone, other than the first two."""
    hidden = torch.zeros(1, len(SIGNALS) - 1)
    hidden[0, SIGNALS.index(signal) - 2] = 1
    sure = torch.tensor([0.0, 0.0, 100.0])
    return Predictor(torch.zeros(len(SIGNALS)), torch.ones(len(SIGNALS)), sure, hidden, torch.tensor([1.0, 0.0]))


def signals(reliability, i):
    return dict(zip(SIGNALS, reliability.signals[i].tolist(), strict=True))


def square_at(column, size=(64, 96)):
    mask = torch.zeros(size, dtype=torch.uint8)
    mask[16:48, column : column + 32] = 7
    return mask


def odds(share):
    return np.log((share + 0.01) / (1.01 - share))


def keep(reliability, *seen):
    """Do what a step does with one frame's masks."""
    return reliability.keep(reliability.judge(reliability.observe(*seen)))


def observed(reliability, mask, sureness=0.9):
    query = QueryFeatures(torch.empty(0), (torch.empty(0),) * 3, (64, 96))
    foreground = torch.where(mask > 0, sureness, 1 - sureness)
    probabilities = torch.stack([1 - foreground, foreground])
    known = [Reference(0, query, torch.empty(0), square_at(16), (7,))]
    return keep(reliability, None, probabilities, (7,), known)


def test_signals_of_a_sure_mask_and_of_an_unsure_one():
    reliability = Reliability(None)
    reliability.use(echo("confidence"))
    reliability.mark((7,))
    sure = observed(reliability, square_at(32))[7]
    seen = signals(reliability, 7)
    assert seen["expected"] == pytest.approx(odds(0.9 * 1024 / (1024 + 0.1 * 5120)), abs=1e-4)
    assert seen["confidence"] == pytest.approx(odds(0.9 * 1 + 0.1 * 0.9), abs=1e-4)
    assert seen["area"] == pytest.approx(0, abs=1e-3)
    assert seen["size"] == pytest.approx(np.log(1 / 6), abs=1e-3)
    assert seen["cycle"] == pytest.approx(odds(1), abs=1e-4)
    assert observed(reliability, square_at(32), sureness=0.6)[7] < sure
    assert signals(reliability, 7)["expected"] < seen["expected"] - 0.5


def test_a_mask_of_another_size_than_the_reference_shows_by_how_much():
    reliability = Reliability(None)
    reliability.use(echo("misfit"))
    half = square_at(32)
    half[32:] = 0
    observed(reliability, half)
    seen = signals(reliability, 7)
    assert seen["area"] == pytest.approx(np.log(0.5), abs=1e-3)
    assert seen["misfit"] == -seen["area"]


def test_an_object_that_is_lost_has_no_confidence():
    reliability = Reliability(None)
    reliability.use(echo("confidence"))
    observed(reliability, torch.zeros(64, 96, dtype=torch.uint8))
    seen = signals(reliability, 7)
    assert seen["expected"] == pytest.approx(odds(0), abs=1e-4)
    assert seen["area"] < -5
    assert all(np.isfinite(value) for value in seen.values())


def test_every_prediction_of_known_objects_has_one(lively_network, images, square, strip):
    predictions = list(cyclevos.segment(lively_network, images, {0: square, 6: strip}, size=None))
    assert predictions[0].reliability == {1: 1.0}
    assert [set(p.reliability) for p in predictions[1:6]] == [{1}] * 5
    assert predictions[6].reliability == {5: 1.0}
    assert [set(p.reliability) for p in predictions[7:]] == [{1, 5}] * 3
    assert all(0 <= score <= 1 for p in predictions for score in p.reliability.values())


def test_the_network_is_asked_every_third_frame(lively_network, images, square):
    propagator = Propagator(lively_network, None, MemoryPolicy())
    asked = []
    for index, image in enumerate(images):
        propagator.step(index, image, square if index == 0 else None)
        if index:
            seen = signals(propagator.reliability, 1)
            asked.append(seen["cycle"])
    assert asked[:2] == [pytest.approx(odds(1), abs=1e-4)] * 2
    assert asked[2] < asked[0]
    assert asked[2:5] == [asked[2]] * 3
    assert asked[5] != asked[2]


def test_a_correction_is_not_held_against_its_frame(lively_network, images, square):
    correction = cyclevos.Correction.preset("default", stop_at=None, accept="always")
    plain = list(cyclevos.segment(lively_network, images, {0: square}, size=None))[5]
    corrected = list(cyclevos.segment(lively_network, images, {0: square}, size=None, correction=correction))[5]
    assert (corrected.probabilities - plain.probabilities).abs().max() > 0.01
    assert corrected.reliability == plain.reliability


def test_both_directions_give_one_number(lively_network, images, square):
    masks = {0: square, 9: np.roll(square, 18, axis=1)}
    predictions = list(cyclevos.segment(lively_network, images, masks, size=None, direction="both"))
    assert [set(p.reliability) for p in predictions] == [{1}] * 10
    assert predictions[0].reliability[1] == predictions[9].reliability[1] == 1


def test_an_object_is_held_against_the_last_reference_that_shows_it():
    reliability = Reliability(None)
    reliability.use(echo("area"))
    query = QueryFeatures(torch.empty(0), (torch.empty(0),) * 3, (64, 96))
    half = square_at(16)
    half[32:] = 0
    known = [Reference(0, query, torch.empty(0), shown, (7,)) for shown in (square_at(16), half)]
    probabilities = torch.stack([square_at(32) == 0, square_at(32) > 0]).float()
    keep(reliability, None, probabilities, (7,), known)
    assert signals(reliability, 7)["area"] == pytest.approx(np.log(2), abs=1e-3)


def test_a_reference_is_asked_for_its_own_objects_alone(lively_network, images, square, strip):
    references = References(lively_network)
    frames = [torch.from_numpy(image).permute(2, 0, 1)[None] / 255 for image in images[:3]]
    for index, shown in enumerate((square, strip)):
        references.add(index, frames[index], torch.from_numpy(shown))
    hard = torch.stack([torch.from_numpy(square + strip) == i for i in (0, 1, 5)]).float()
    with torch.no_grad():
        prepared = lively_network.prepare_memory(frames[2])
        memory = lively_network.encode_memory(prepared, hard[None], torch.ones(1, 2, dtype=torch.bool))
    reliability = Reliability(lively_network)
    keep(reliability, memory, hard, (1, 5), references.reached())
    for k, (i, reference) in enumerate(zip((1, 5), references.reached(), strict=True)):
        who = torch.arange(2) == k
        with torch.no_grad():
            logits = reconstruct_reference(lively_network, memory.select(who), reference.query, who[None])
        alone = reconstruction_iou(logits, reference.labels((1, 5)), who[None])[0, k]
        assert signals(reliability, i)["cycle"] == pytest.approx(odds(float(alone)), abs=1e-4)


def test_a_mask_given_again_starts_anew(lively_network, images, square, strip):
    propagator = Propagator(lively_network, None, MemoryPolicy())
    for index in range(6):
        propagator.step(index, images[index], {0: square + strip, 5: square}.get(index))
    rows = {int(row[0]): row[1:].tolist() for row in propagator.snapshot()["reliability"]}
    assert rows[1] == [1, 1]
    assert rows[5] != [1, 1]


def test_a_signal_far_off_counts_as_one_four_deviations_off():
    predictor = load_predictor()
    far, four = (predictor.mean + step * predictor.scale for step in (torch.tensor(1e4), torch.tensor(4.0)))
    assert torch.equal(predictor(far[None]), predictor(four[None]))


class NoFloat64(TorchDispatchMode):
    """Refuses what Apple's GPUs refuse; tensors of one number are Python's."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        made = out if isinstance(out, tuple | list) else [out]
        assert not any(isinstance(t, torch.Tensor) and t.dtype == torch.float64 and t.numel() > 1 for t in made)
        return out


def test_frames_are_segmented_without_float64(lively_network, images, square):
    with NoFloat64():
        predictions = list(cyclevos.segment(lively_network, images[:6], square, size=16, correction="default"))
    assert len(predictions) == 6


def test_a_snapshot_goes_on_with_the_same_signals(lively_network, images, square):
    first = Propagator(lively_network, None, MemoryPolicy())
    for index in range(7):
        first.step(index, images[index], square if index == 0 else None)
    second = first.fresh()
    second.restore(first.snapshot())
    assert first.step(7, images[7]).reliability == second.step(7, images[7]).reliability


def test_a_snapshot_of_another_version_is_refused():
    with pytest.raises(ValueError, match="expected 3 numbers per object"):
        Reliability(None).restore({"reliability": torch.ones(1, 4)})


def test_only_the_last_references_of_each_object_are_held(lively_network):
    references = References(lively_network, keep=False)
    frame = torch.zeros(1, 3, 24, 40)
    for index, shown in enumerate([(1, 2), (1,), (1,), (3,)]):
        ids = torch.zeros(24, 40, dtype=torch.uint8)
        for i in shown:
            ids[8 * i - 8 : 8 * i] = i
        references.add(index, frame, ids)
    assert [reference.objects for reference in references.reached()] == [(1, 2), (1,), (3,)]
    assert references.reached()[-1].objects == (3,)
    again = References(lively_network, keep=False)
    again.restore(references.snapshot(), torch.device("cpu"))
    assert [reference.objects for reference in again.reached()] == [(1, 2), (1,), (3,)]


def test_the_prediction_is_what_the_mask_claims_times_the_trust_in_it():
    exact, trust = torch.tensor([2.0, -0.5, 1.0]), torch.tensor([0.5, 0.3])
    hidden = torch.zeros(1, len(SIGNALS) - 1)
    hidden[0, SIGNALS.index("cycle") - 2] = 3
    predictor = Predictor(torch.ones(len(SIGNALS)), torch.full((len(SIGNALS),), 2.0), exact, hidden, trust)
    rows = torch.ones(3, len(SIGNALS))
    rows[0, SIGNALS.index("expected")] = 4
    rows[1, SIGNALS.index("cycle")] = 0
    rows[2, SIGNALS.index("size")] = 3
    claims = 1 / (1 + np.exp(-np.array([2 * 1.5 + 1, 1.0, 1.0 - 0.5])))
    trusted = 1 / (1 + np.exp(-(0.5 * np.tanh([0.0, 3 * -0.5, 0.0]) + 0.3)))
    np.testing.assert_allclose(predictor(rows).numpy(), claims * trusted, rtol=1e-6)


@pytest.mark.parametrize(
    "tensors", [{"mean": torch.zeros(3)}, {**load_predictor()._asdict(), "output": torch.zeros(3)}]
)
def test_a_file_that_is_no_predictor_is_refused(tmp_path, tensors):
    path = tmp_path / "other.safetensors"
    save_file(tensors, path)
    with pytest.raises(WeightsError, match="no reliability predictor for the signals expected"):
        load_predictor(path)
    path.write_bytes(b"{}")
    with pytest.raises(WeightsError, match="no reliability predictor"):
        load_predictor(path)


def rows(**values):
    """Signals of as many masks as each has values; shares are given as such."""
    table = torch.zeros(len(next(iter(values.values()))), len(SIGNALS))
    for name, column in values.items():
        table[:, SIGNALS.index(name)] = torch.tensor([log_odds(v) if name in SHARES else v for v in column])
    return table


def test_the_formula_of_every_network_by_hand():
    table = rows(
        expected=[0.9, 0.9, 0.9, 0.8, 0.0],
        cycle=[1.0, 0.25, 0.5, 0.1, 1.0],
        area=[0.0, 0.0, np.log(0.25), np.log(0.1), 3.0],
    )
    np.testing.assert_allclose(uncalibrated(table).numpy(), [0.9, 0.45, 0.45, 0.8 * 0.2 * 0.2, 0.0], atol=1e-5)


def test_the_formula_is_a_share_whatever_the_signals():
    table = 40 * torch.randn(200, len(SIGNALS), generator=torch.Generator().manual_seed(0))
    found = uncalibrated(table)
    assert found.min() >= 0
    assert found.max() <= 1
    assert found.unique().numel() > 20


def test_a_network_without_a_predictor_is_uncalibrated_and_says_so(lively_network, images, square):
    propagator = Propagator(lively_network, None, MemoryPolicy())
    assert not propagator.reliability.calibrated
    assert propagator.reliability.record() == {"calibrated": False, "predictor_sha256": None}
    for index in range(4):
        prediction = propagator.step(index, images[index], square if index == 0 else None)
        assert not prediction.calibrated
    expected = uncalibrated(propagator.reliability.signals[1][None]).item()
    assert prediction.reliability == {1: pytest.approx(expected)}


@pytest.mark.parametrize("direction", ["forward", "backward", "both"])
def test_a_network_with_a_predictor_is_calibrated_in_every_direction(
    lively_network, images, square, direction, monkeypatch
):
    masks = {0: square, 9: square}
    plain = list(cyclevos.segment(lively_network, images, masks, size=None, direction=direction))
    monkeypatch.setattr(lively_network, "calibration", PACKAGED_CALIBRATION)
    fitted = list(cyclevos.segment(lively_network, images, masks, size=None, direction=direction))
    assert [(p.calibrated, q.calibrated) for p, q in zip(plain, fitted, strict=True)] == [(False, True)] * 10
    assert all((p.ids == q.ids).all() for p, q in zip(plain, fitted, strict=True))
    assert plain[5].reliability != fitted[5].reliability


def test_a_predictor_that_cannot_be_used_is_warned_of_once(tmp_path, caplog, lively_network, monkeypatch):
    path = tmp_path / "last.reliability.safetensors"
    path.write_bytes(b"broken")
    monkeypatch.setattr(lively_network, "calibration", path)
    assert not Reliability(lively_network).calibrated
    assert not Reliability(lively_network).calibrated
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "Reliability is uncalibrated" in caplog.text
    path.write_bytes(PACKAGED_CALIBRATION.read_bytes())
    os.utime(path, ns=(1, 1))  # written again, whatever the clock's resolution
    assert Reliability(lively_network).calibrated
    path.unlink()
    assert not Reliability(lively_network).calibrated
