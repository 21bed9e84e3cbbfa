"""Gradient correction: what it may change, what it must leave alone."""

from __future__ import annotations

import logging
import math
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

import cyclevos
import cyclevos.propagation.frame_correction as correction_module
from cyclevos import Correction
from cyclevos.cycle import reconstruct_reference, reconstruction_iou
from cyclevos.errors import ConfigError
from cyclevos.losses import mask_loss
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.traits import MemoryPolicy
from cyclevos.propagation.descent import Subject, correct
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.references import References


@pytest.fixture(scope="module")
def exact(lively_network) -> SpaceTimeMemoryNetwork:
    return deepcopy(lively_network).double()


def tensor(image: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255


def question(network, images, ids):
    """A frame, a soft mask of it, and the reference it is to reconstruct."""
    references = References(network)
    references.add(0, tensor(images[0]), torch.from_numpy(ids))
    objects = tuple(int(i) for i in np.unique(ids) if i)
    hard = torch.stack([torch.from_numpy(ids == i) for i in (0, *objects)]).double()
    soft = 0.8 * hard + 0.2 / len(hard)
    return Subject(2, network.prepare_memory(tensor(images[2]))), soft, references.reached(), objects


def reconstructed(network, subject, mask, reference, objects):
    """Logits of the reference's mask, reconstructed from a mask (K+1,H,W), and the objects asked for."""
    present = torch.ones(1, len(objects), dtype=torch.bool)
    memory = network.encode_memory(subject.prepared, mask[None], present)
    return reconstruct_reference(network, memory, reference.query, present), present


def loss_of(network, subject, mask, reference, objects):
    logits, present = reconstructed(network, subject, mask, reference, objects)
    return mask_loss(logits, reference.labels(objects), present).total


def predictions(network, images, ids, **options):
    masks = ids if isinstance(ids, dict) else {0: ids}
    return list(cyclevos.segment(network, images, masks, size=None, **options))


def test_the_check_has_the_right_gradient(exact, images, square):
    subject, mask, (reference,), objects = question(exact, images, square)
    spot = (1, slice(9, 11), slice(8, 10))
    soft = mask[spot].clone().requires_grad_()

    def loss(value):
        moved = mask.clone()
        moved[spot] = value
        return loss_of(exact, subject, moved, reference, objects)

    assert torch.autograd.gradcheck(loss, (soft,), eps=1e-5, atol=1e-5)


def test_one_plain_step_is_equation_5(exact, images, square, strip):
    subject, mask, references, objects = question(exact, images, square + strip)
    leaf = mask.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss_of(exact, subject, leaf, references[0], objects), leaf)
    corrected = correct(exact, subject, mask, references, objects, Correction(steps=1, rate=3.0))
    torch.testing.assert_close(corrected.probabilities[1:], (mask - 3.0 * gradient)[1:])
    assert gradient.abs().max() > 0


def test_a_rate_per_pixel_means_the_hardest_pixels(exact, images, square):
    asked = question(exact, images, square)
    pixels = round(0.4 * square.size)
    mean = correct(exact, *asked, Correction(steps=1, rate=2.0))
    pixel = correct(exact, *asked, Correction(steps=1, rate=2.0 / pixels, rate_unit="pixel"))
    torch.testing.assert_close(pixel.probabilities, mean.probabilities)


def test_the_loss_does_not_rise_at_a_small_rate(exact, images, square, strip):
    subject, mask, references, objects = question(exact, images, square + strip)
    losses = []
    for steps in range(5):
        corrected = correct(exact, subject, mask, references, objects, Correction(steps=steps, rate=0.5))
        losses.append(float(loss_of(exact, subject, corrected.probabilities, references[0], objects)))
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0]


def test_better_never_ends_below_where_it_began(exact, images, square):
    subject, mask, references, objects = question(exact, images, square)
    for rate in (1.0, 1e4):
        corrected = correct(exact, subject, mask, references, objects, Correction(rate=rate, accept="better"))
        assert corrected.after >= corrected.before
        if corrected.after == corrected.before:
            torch.testing.assert_close(corrected.probabilities, mask)
        features = exact.encode_memory(
            subject.prepared, corrected.probabilities[None], torch.ones(1, 1, dtype=torch.bool)
        )
        torch.testing.assert_close(corrected.memory, features)


def reconstructed_previous(network, subject, mask, previous, objects):
    """Soft J (K,) of the previous frame's mask."""
    with torch.no_grad():
        logits, present = reconstructed(network, subject, mask, previous, objects)
        return reconstruction_iou(logits, previous.labels(objects), present)[0]


def previous_frames(network, images, ids):
    """A frame's masks as they were shown, right ones and wrong ones."""
    for moved in (ids, np.roll(ids, 6, axis=0), np.roll(ids, -6, axis=1)):
        held = References(network)
        held.add(1, tensor(images[1]), torch.from_numpy(moved))
        yield held.reached()[0]


def test_consistent_takes_for_each_object_the_last_mask_that_reconstructs_the_previous_frame(
    exact, images, square, strip
):
    subject, mask, references, objects = question(exact, images, square + strip)
    seen = set()
    for rate in (0.5, 5.0, 50.0, 1e4):
        path = [mask] + [
            correct(exact, subject, mask, references, objects, Correction(steps=n, rate=rate)).probabilities
            for n in (1, 2)
        ]
        for previous in previous_frames(exact, images, square + strip):
            scores = [reconstructed_previous(exact, subject, m, previous, objects) for m in path]
            how = Correction(steps=2, rate=rate, accept="consistent")
            corrected = correct(exact, subject, mask, references, objects, how, previous=previous)
            chosen = [max(n for n in range(3) if n == 0 or scores[n][k] >= scores[0][k]) for k in range(len(objects))]
            for k, n in enumerate(chosen):
                torch.testing.assert_close(corrected.probabilities[k + 1], path[n][k + 1])
            assert corrected.kept == any(chosen)
            features = exact.encode_memory(
                subject.prepared, corrected.probabilities[None], torch.ones(1, 2, dtype=torch.bool)
            )
            torch.testing.assert_close(corrected.memory, features)
            seen.add(tuple(chosen))
    assert {n for chosen in seen for n in chosen} == {0, 1, 2}
    assert any(a != b for a, b in seen)  # objects are judged one by one


def test_what_never_reconstructs_the_previous_frame_is_taken_back(exact, images, square):
    subject, mask, references, objects = question(exact, images, square)
    results = [
        correct(exact, subject, mask, references, objects, how, previous=previous)
        for previous in previous_frames(exact, images, square)
        for how in (Correction(steps=2, rate=rate, accept="consistent") for rate in (1.0, 1e4))
    ]
    reverted = [c for c in results if not c.kept]
    assert 0 < len(reverted) < len(results)
    for corrected in reverted:
        torch.testing.assert_close(corrected.probabilities, mask)
        assert corrected.after == corrected.before
        assert corrected.summary(mask).endswith("2 steps, 0 pixels changed, reverted")


def test_a_step_that_leaves_no_numbers_is_taken_back(exact, images, square):
    subject, mask, references, objects = question(exact, images, square)
    previous = next(iter(previous_frames(exact, images, square)))
    how = Correction(steps=2, rate=1e308, rate_unit="pixel")
    wild = correct(exact, subject, mask, references, objects, how)
    assert not torch.isfinite(wild.probabilities).all()
    how = replace(how, accept="consistent")
    tame = correct(exact, subject, mask, references, objects, how, previous=previous)
    assert torch.isfinite(tame.probabilities).all()


def test_without_a_previous_frame_consistent_keeps_the_last_step(exact, images, square):
    asked = question(exact, images, square)
    how = Correction(steps=2, rate=3.0)
    always = correct(exact, *asked, how)
    consistent = correct(exact, *asked, replace(how, accept="consistent"))
    assert torch.equal(always.probabilities, consistent.probabilities)


def test_the_previous_frame_is_judged_as_it_was_output(lively_network, images, square, monkeypatch):
    seen = []
    plain = correction_module.correct

    def spy(*args, previous=None, **rest):
        seen.append(previous)
        return plain(*args, previous=previous, **rest)

    monkeypatch.setattr(correction_module, "correct", spy)
    shown = predictions(lively_network, images, square, correction=Correction(every=2, accept="consistent"))
    corrected = range(2, len(images), 2)
    assert len(seen) == len(corrected)
    for index, previous in zip(corrected, seen, strict=True):
        assert np.array_equal(previous.ids.numpy(), shown[index - 1].ids)
        assert torch.equal(previous.frame, tensor(images[index - 1]).float())


def test_growth_is_in_proportion_to_what_was_there(exact, images, square):
    subject, _, references, objects = question(exact, images, square)
    foreground = torch.linspace(0, 1, square.size, dtype=torch.float64).view(square.shape)
    mask = torch.stack([1 - foreground, foreground])
    free = correct(exact, subject, mask, references, objects, Correction(steps=1, rate=50.0))
    held = correct(exact, subject, mask, references, objects, Correction(steps=1, rate=50.0, grow_from=0.4))
    wanted, got = (c.probabilities[1] - foreground for c in (free, held))
    share = (foreground / 0.4).clamp(max=1)
    assert (wanted > 0).any()
    assert (wanted < 0).any()
    torch.testing.assert_close(got, torch.where(wanted > 0, wanted * share, wanted))


def test_the_hardest_pixels_are_as_many_as_asked_for(exact, images, square):
    subject, mask, references, objects = question(exact, images, square)
    moves = []
    for share in (0.1, 1.0):
        leaf = mask.clone().requires_grad_()
        logits, present = reconstructed(exact, subject, leaf, references[0], objects)
        loss = mask_loss(logits, references[0].labels(objects), present, share).total
        (gradient,) = torch.autograd.grad(loss, leaf)
        how = Correction(steps=1, rate=3.0, hard_fraction=share)
        corrected = correct(exact, subject, mask, references, objects, how).probabilities
        torch.testing.assert_close(corrected[1:], (mask - 3.0 * gradient)[1:])
        moves.append(corrected - mask)
    assert not torch.allclose(*moves)


@pytest.mark.parametrize("choice", ["latest", "all"])
def test_each_object_is_asked_of_its_own_last_reference_or_of_all(exact, images, square, strip, choice):
    subject, mask, _, objects = question(exact, images, square + strip)
    references = References(exact)
    references.add(0, tensor(images[0]), torch.from_numpy(square + strip))
    references.add(1, tensor(images[1]), torch.from_numpy(np.roll(strip, 2, axis=1)))
    leaf = mask.clone().requires_grad_()
    memory = exact.encode_memory(subject.prepared, leaf[None], torch.ones(1, 2, dtype=torch.bool))
    losses = []
    first = [True, choice == "all"]
    for reference, who in zip(references.reached(), torch.tensor([first, [False, True]]), strict=True):
        logits = reconstruct_reference(exact, memory.select(who), reference.query, who[None])
        losses.append(mask_loss(logits, reference.labels(objects), who[None]).total)
    (gradient,) = torch.autograd.grad(sum(losses) / 2, leaf)
    how = Correction(steps=1, rate=3.0, reference=choice)
    corrected = correct(exact, subject, mask, references.reached(), objects, how)
    torch.testing.assert_close(corrected.probabilities[1:], (mask - 3.0 * gradient)[1:])
    assert all((corrected.probabilities[k] != mask[k]).any() for k in (1, 2))


def test_a_mask_of_one_object_leaves_the_others_corrected(lively_network, images, square, strip):
    how = Correction(every=1, rate=500.0, project=True, apply_to="both")
    masks = {0: square, 3: strip}
    plain = predictions(lively_network, images[:5], masks)
    corrected = predictions(lively_network, images[:5], masks, correction=how)
    assert torch.equal(corrected[4].uncorrected[0] > 1, plain[4].probabilities[0] > 1)
    moved = (corrected[4].probabilities - corrected[4].uncorrected).abs().amax(dim=(1, 2))
    assert (moved[1:] > 1e-3).all()


def test_steps_end_where_the_reference_comes_back_well_enough(exact, images, square):
    asked = question(exact, images, square)
    scores = [correct(exact, *asked, Correction(steps=n, rate=1.0), measure=True) for n in (1, 2)]
    first, second = (corrected.after for corrected in scores)
    assert scores[0].before < first < second
    stopped = correct(exact, *asked, Correction(steps=5, rate=1.0, stop_at=(first + second) / 2))
    assert stopped.steps == 2
    torch.testing.assert_close(stopped.probabilities, scores[1].probabilities)


def test_objects_that_the_previous_frame_does_not_show_keep_the_last_step(exact, images, square, strip):
    subject, mask, references, objects = question(exact, images, square + strip)
    for rate in (0.5, 5.0, 50.0, 1e4):
        last = correct(exact, subject, mask, references, objects, Correction(steps=2, rate=rate)).probabilities
        how = Correction(steps=2, rate=rate, accept="consistent")
        for previous in (*previous_frames(exact, images, square), *previous_frames(exact, images, strip)):
            kept = correct(exact, subject, mask, references, objects, how, previous=previous).probabilities
            other = 2 if previous.objects == (1,) else 1
            torch.testing.assert_close(kept[other], last[other])


def test_what_is_shown_of_a_correction_are_probabilities(lively_network, images, square, strip):
    how = Correction.preset("default", rate=5.0, grow_from=None, accept="always")
    shown = predictions(lively_network, images[:6], square + strip, correction=how)[5]
    assert shown.uncorrected is not None
    assert 0 <= shown.probabilities.min() <= shown.probabilities.max() <= 1
    torch.testing.assert_close(shown.probabilities.sum(dim=0), torch.ones(square.shape))


def test_a_good_enough_mask_is_left_alone(exact, images, square):
    corrected = correct(exact, *question(exact, images, square), Correction(stop_at=0.01))
    assert corrected.steps == 0
    torch.testing.assert_close(corrected.probabilities, question(exact, images, square)[1])


def test_projection_leaves_probabilities(exact, images, square, strip):
    subject, mask, references, objects = question(exact, images, square + strip)
    wild = correct(exact, subject, mask, references, objects, Correction(rate=1e5)).probabilities
    tame = correct(exact, subject, mask, references, objects, Correction(rate=1e5, project=True)).probabilities
    assert not 0 <= wild.min() <= wild.max() <= 1
    assert -1e-9 <= tame.min() <= tame.max() <= 1 + 1e-9
    torch.testing.assert_close(tame.sum(dim=0), torch.ones_like(tame[0]))


def test_objects_the_reference_does_not_show_are_left_alone(exact, images, square, strip):
    subject, mask, _, objects = question(exact, images, square + strip)
    references = References(exact)
    references.add(0, tensor(images[0]), torch.from_numpy(square))
    for project in (False, True):
        how = Correction(rate=1e3, project=project)
        corrected = correct(exact, subject, mask, references.reached(), objects, how).probabilities
        assert torch.equal(corrected[2], mask[2])
        assert not torch.equal(corrected[1], mask[1])
        assert corrected[0].min() >= -1e-9 or not project


@pytest.mark.parametrize("case", ["vanished", "no reference"])
def test_nothing_to_ask_changes_nothing(exact, images, square, case):
    subject, mask, references, objects = question(exact, images, square)
    if case == "vanished":
        mask = torch.stack([torch.ones_like(mask[0]), torch.zeros_like(mask[0])])
    else:
        references = []
    corrected = correct(exact, subject, mask, references, objects, Correction())
    assert corrected.probabilities is mask
    assert corrected.steps == 0
    assert math.isnan(corrected.before)


def test_one_pixel_is_an_object(lively_network, images):
    dot = np.zeros(images[0].shape[:2], np.uint8)
    dot[10, 10] = 4
    for p in predictions(lively_network, images, dot, correction=Correction(every=1, project=True, apply_to="both")):
        assert torch.isfinite(p.probabilities).all()


def test_no_steps_is_no_correction(lively_network, images, square):
    plain = predictions(lively_network, images, square)
    none = predictions(lively_network, images, square, correction=Correction(steps=0))
    assert all(torch.equal(p.probabilities, q.probabilities) for p, q in zip(plain, none, strict=True))


@pytest.mark.parametrize("where", ["memory", "output", "both"])
def test_a_correction_goes_where_it_is_told(lively_network, images, square, where):
    plain = predictions(lively_network, images, square)
    how = Correction(rate=2e3, project=True, apply_to=where)
    changed = [
        not torch.equal(p.probabilities, q.probabilities)
        for p, q in zip(plain, predictions(lively_network, images, square, correction=how), strict=True)
    ]
    assert changed[:5] == [False] * 5
    assert changed[5] is (where != "memory")
    assert any(changed[6:]) is (where != "output")


def test_a_prediction_says_what_the_correction_started_from(lively_network, images, square):
    plain = predictions(lively_network, images, square)
    how = Correction(rate=2e3, project=True, apply_to="both")
    corrected = predictions(lively_network, images, square, correction=how)
    assert [p.index for p in corrected if p.uncorrected is not None] == [5]
    assert torch.equal(corrected[5].uncorrected, plain[5].probabilities)
    assert not torch.equal(corrected[5].probabilities, plain[5].probabilities)
    in_memory = Correction(rate=2e3, project=True, apply_to="memory")
    assert all(p.uncorrected is None for p in predictions(lively_network, images, square, correction=in_memory))


def test_no_parameter_gets_a_gradient(lively_network, images, square):
    predictions(lively_network, images, square, correction="paper")
    assert not any(p.requires_grad or p.grad is not None for p in lively_network.parameters())


def test_permuted_ids_are_permuted_results(exact, images, square, strip):
    renamed = np.array([0, 9, 0, 0, 0, 3], np.uint8)
    how = Correction(every=2, rate=50.0, project=True, apply_to="both")
    first = predictions(exact, images[:5], square + strip, correction=how)
    other = predictions(exact, images[:5], renamed[square + strip], correction=how)
    for p, q in zip(first, other, strict=True):
        assert q.object_ids == (3, 9)
        torch.testing.assert_close(q.probabilities[[0, 2, 1]], p.probabilities, atol=1e-7, rtol=0)


def test_later_masks_are_asked_for_with_all(lively_network, images, square):
    later = np.roll(square, 10, axis=1)
    how = Correction(every=2, rate=500.0, project=True, apply_to="both", reference="all")
    one = predictions(lively_network, images, {0: square}, correction=how)
    two = predictions(lively_network, images, {0: square, 8: later}, correction=how)
    stream = predictions(lively_network, iter(images), {0: square, 8: later}, correction=how)
    latest = predictions(lively_network, images, {0: square, 8: later}, correction=Correction.preset("paper", every=2))
    assert not torch.equal(one[2].probabilities, two[2].probabilities)
    assert torch.equal(one[2].probabilities, stream[2].probabilities)  # a stream cannot be asked ahead
    assert torch.isfinite(latest[9].probabilities).all()
    ways = {
        way: sorted(
            predictions(lively_network, images, {0: square, 8: later}, correction=how, direction=way),
            key=lambda p: p.index,
        )
        for way in ("forward", "backward", "both")
    }
    for t in (2, 4, 6):
        ahead, back = ways["forward"][t].probabilities, ways["backward"][t].probabilities
        expected = (1 - t / 8) * ahead + t / 8 * back
        torch.testing.assert_close(ways["both"][t].probabilities, expected, atol=1 / 255, rtol=0)


@pytest.mark.parametrize("accept", ["always", "consistent"])
def test_a_snapshot_continues_exactly(lively_network, images, square, accept):
    how = Correction(every=2, rate=500.0, project=True, apply_to="both", accept=accept)
    first = Propagator(lively_network, None, MemoryPolicy(), how)
    for index in range(6):  # frame 6 is to be corrected: the previous one belongs to the snapshot
        first.step(index, images[index], square if index == 0 else None)
    assert ("previous_frame" in first.snapshot()) == (accept == "consistent")
    second = first.fresh()
    second.step(0, images[3], np.roll(square, 5, axis=0))  # all of which is forgotten
    second.step(1, images[4])
    second.restore(first.snapshot())
    for index in range(6, len(images)):
        p, q = (propagator.step(index, images[index]) for propagator in (first, second))
        assert torch.equal(p.probabilities, q.probabilities)


@pytest.mark.parametrize(
    "correction", [Correction(accept="better", project=True), Correction.preset("default"), Correction.preset("paper")]
)
def test_each_corrected_frame_says_what_was_done(lively_network, images, square, caplog, monkeypatch, correction):
    done = []
    plain = correction_module.correct

    def spy(network, subject, mask, *args, **rest):
        done.append((mask, plain(network, subject, mask, *args, **rest)))
        return done[-1][1]

    monkeypatch.setattr(correction_module, "correct", spy)
    with caplog.at_level(logging.INFO, logger="cyclevos"):
        told = predictions(lively_network, images, square, correction=correction)
    (line,) = [r.message for r in caplog.records if r.message.startswith("frame 5")]
    ((mask, result),) = done
    assert 0 <= result.before <= 1
    assert 0 <= result.after <= 1
    assert result.steps == correction.steps
    assert result.kept or torch.equal(result.probabilities[1:], mask[1:])
    if correction.accept == "always":
        assert result.kept
    if correction.accept == "better":
        assert result.kept == (result.after > result.before)
    changed = int((result.probabilities.argmax(dim=0) != mask.argmax(dim=0)).sum())
    verdict = "kept" if result.kept else "reverted"
    assert line == (
        f"frame 5: reference {result.before:.3f} -> {result.after:.3f}, {correction.steps} steps, "
        f"{changed} pixels changed, {verdict}"
    )
    silent = predictions(lively_network, images, square, correction=correction)
    assert all(torch.equal(a.probabilities, b.probabilities) for a, b in zip(told, silent, strict=True))


def test_the_score_after_is_that_of_the_mask_that_was_kept(exact, images, square):
    asked = question(exact, images, square)
    for rate in (1.0, 1e4):  # one that helps, one that does harm
        how = Correction(steps=2, rate=rate)
        measured = correct(exact, *asked, how, measure=True)
        again = correct(exact, asked[0], measured.probabilities, *asked[2:], how)
        assert measured.after == pytest.approx(again.before)
        assert measured.kept
        plain = correct(exact, *asked, how)
        assert math.isnan(plain.after)
        assert torch.equal(plain.probabilities, measured.probabilities)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": -1}, "steps is -1; expected a whole number from 0"),
        ({"steps": True}, "steps is True; expected a whole number from 0"),
        ({"every": 0}, "every is 0"),
        ({"rate": float("nan")}, "rate is nan; expected a positive number"),
        ({"rate": "fast"}, "rate is 'fast'; expected a positive number"),
        ({"project": 1}, "project is 1; expected true or false"),
        ({"stop_at": 1.5}, "stop_at is 1.5"),
        ({"grow_from": 0.0}, "grow_from is 0.0; expected a number"),
        ({"apply_to": "screen"}, "apply_to is 'screen'; expected one of both, output, memory"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(ConfigError, match=message):
        Correction(**values)


def test_unknown_presets_and_values_are_refused():
    assert Correction.preset("paper", rate=2.0) == Correction(rate=2.0)
    with pytest.raises(ConfigError, match="preset 'papr' is unknown; expected one of prune, paper, default"):
        Correction.preset("papr")
    with pytest.raises(ConfigError, match="no setting 'rat'; expected any of steps, every, rate"):
        Correction.preset("paper", rat=2.0)
    with pytest.raises(ConfigError, match="rate changes gradient steps, but the correction prune takes none"):
        Correction.preset("prune", rate=2.0)
    assert Correction.preset("prune", steps=1, rate=2.0).rate == 2.0
