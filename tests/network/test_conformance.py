"""What every network has to do under the loop. A new one only has to be listed in `tests/inputs/families.py`."""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import families
import numpy as np
import pytest
import torch
from clips import scene, scene_ids
from safetensors.torch import load, save
from torch import Tensor
from torch.testing import assert_close

import cyclevos
from cyclevos import ConfigError, Correction, Propagator
from cyclevos.adaptation.adapting import adapt
from cyclevos.adaptation.settings import Adaptation
from cyclevos.cycle import cycle_loss
from cyclevos.masks import binary_iou, ids_to_probabilities
from cyclevos.network import registry
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.traits import MemoryPolicy
from cyclevos.propagation.predictor import load_predictor
from cyclevos.propagation.segment import make_propagator, segment_frames
from cyclevos.propagation.settings import SegmentationSettings
from cyclevos.propagation.together import ClipFrame, ClipRun, segment_together

HEIGHT, WIDTH = 40, 56  # no multiples of 16
FRAMES, IDS = scene(12, HEIGHT, WIDTH), scene_ids(12, HEIGHT, WIDTH)
BOTH = IDS[0]
DISC, SQUARE = (np.where(i == BOTH, BOTH, 0).astype(np.uint8) for i in (1, 5))
ONE, TWO = torch.ones(1, 1, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)

OFTEN = Correction(steps=2, every=2, rate=500.0, apply_to="both", accept="consistent", reference="all", grow_from=0.3)
"""Takes the loop through all that a correction can do."""


@pytest.fixture(scope="module", params=list(families.FAMILIES))
def name(request) -> str:
    return request.param


@pytest.fixture(scope="module")
def network(name) -> MemoryNetwork:
    return families.build(name)


@pytest.fixture(scope="module")
def exact_network(network) -> MemoryNetwork:
    """The network in float64: random weights multiply rounding errors from frame to frame."""
    return copy.deepcopy(network).double()


@pytest.fixture
def _exact(monkeypatch):
    """Libraries convert to float32 in places, which is too coarse to compare results or to take differences."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)


def run(network, masks, frames=4, **options):
    """Segment the first frames of the clip."""
    return list(cyclevos.segment(network, FRAMES[:frames], masks, **{"size": None, "correction": None, **options}))


def assert_same(found, expected, tolerance=0.0):
    assert [p.index for p in found] == [p.index for p in expected]
    for p, q in zip(found, expected, strict=True):
        assert p.object_ids == q.object_ids
        assert p.reliability == pytest.approx(q.reliability, abs=tolerance)
        assert_close(p.probabilities, q.probabilities, atol=tolerance, rtol=0)


def assert_sound(predictions):
    """Probabilities are probabilities, ids are the most probable ones, and every score is a share."""
    for p in predictions:
        assert p.probabilities.dtype == torch.float32
        assert p.probabilities.shape == (len(p.object_ids) + 1, HEIGHT, WIDTH)
        assert p.probabilities.min() >= 0
        assert_close(p.probabilities.sum(dim=0), torch.ones(HEIGHT, WIDTH), atol=1e-5, rtol=0)
        winners = np.array([0, *p.object_ids])[p.probabilities.argmax(dim=0).numpy()]
        np.testing.assert_array_equal(p.ids, winners)
        assert set(p.reliability) <= set(p.object_ids)
        assert all(0 <= score <= 1 for score in p.reliability.values())
        assert not p.probabilities.requires_grad
        assert not p.probabilities.is_inference()


def difference(first, second) -> float:
    """Largest difference of two predictions."""
    return float((first.probabilities - second.probabilities).abs().max())


# Masks


def test_masks_are_probabilities_and_depend_on_the_frames_and_on_the_objects(network):
    predictions = run(network, {0: BOTH, 3: DISC}, 5)
    assert_sound(predictions)
    assert [p.annotated for p in predictions] == [True, False, False, True, False]
    assert all(set(p.reliability) == {1, 5} for p in predictions if not p.annotated)
    _, one, two, _, _ = predictions
    assert difference(one, two) > 0.01
    assert one.probabilities[1:].amax() > 0.05
    assert (one.probabilities[1] - one.probabilities[2]).abs().max() > 0.01


@pytest.mark.usefixtures("_exact")
def test_permuting_ids_permutes_results(exact_network):
    renamed = {0: 0, 1: 200, 5: 7}
    crossed = {i: np.vectorize(renamed.get)(mask).astype(np.uint8) for i, mask in {0: BOTH, 2: DISC}.items()}
    straight, other = (run(exact_network, masks, correction=OFTEN) for masks in ({0: BOTH, 2: DISC}, crossed))
    for p, q in zip(straight, other, strict=True):
        assert q.object_ids == (7, 200)
        assert_close(q.probabilities[[0, 2, 1]], p.probabilities, atol=1e-4, rtol=0)
        assert {renamed[i]: score for i, score in p.reliability.items()} == pytest.approx(q.reliability, abs=1e-4)


def test_an_annotated_frame_shows_what_was_annotated(network):
    masks = {0: BOTH, 2: np.roll(BOTH, 5, axis=1), 3: np.roll(DISC, 3, axis=0)}
    predictions = run(network, masks)
    for index, mask in masks.items():
        shown = mask > 0
        np.testing.assert_array_equal(predictions[index].ids[shown], mask[shown])
        assert predictions[index].reliability == dict.fromkeys(np.unique(mask[shown]), 1.0)
    assert not (predictions[3].ids[masks[3] == 0] == 1).any()


def test_an_annotation_guides_the_frames_after_it_and_none_before(network):
    once, twice = (run(network, masks, 5) for masks in ({0: BOTH}, {0: BOTH, 3: np.roll(BOTH, 12, axis=1)}))
    assert_same(twice[:3], once[:3])
    assert difference(once[4], twice[4]) > 1e-3


def test_objects_may_appear_later(network):
    predictions = run(network, {1: SQUARE, 3: DISC}, 6)
    assert [p.object_ids for p in predictions] == [(), (5,), (5,), (5, 1), (5, 1), (5, 1)]
    assert_sound(predictions)
    assert set(predictions[-1].reliability) == {1, 5}
    assert predictions[4].probabilities[2].max() > 0.01


@pytest.mark.parametrize("correction", [None, OFTEN], ids=["plain", "corrected"])
def test_an_object_beside_one_that_got_empty(network, correction):
    everywhere = np.full_like(BOTH, 1)
    predictions = run(network, {0: BOTH, 1: everywhere}, 5, correction=correction)
    assert not (predictions[1].ids == 5).any()
    assert predictions[1].probabilities[2].max() < 1e-3
    assert_sound(predictions)
    assert set(predictions[-1].reliability) == {1, 5}


@pytest.mark.usefixtures("_exact")
def test_an_object_beside_an_empty_slot_is_segmented_as_alone(exact_network):
    pixels, masks = cycle_inputs(exact_network)
    results = []
    for probabilities, present in ((masks[:, :2], ONE), (masks, torch.tensor([[True, False]]))):
        with torch.no_grad():
            prepared = exact_network.prepare_memory(pixels[1:])
            memory = exact_network.encode_memory(prepared, probabilities, present)
            answer = exact_network.segment(exact_network.encode_query(pixels[:1]), memory.alone(1), present)
        results.append(answer.logits.softmax(dim=1))
    alone, beside = results
    assert_close(beside[:, :2], alone, atol=1e-6, rtol=0)
    assert beside[:, 2].max() < 1e-5


def test_nothing_that_is_seen_later_changes_what_came_before(network):
    masks = {0: BOTH, 4: SQUARE}
    correction = replace(OFTEN, reference="latest")
    whole, part = (run(network, masks, count, correction=correction) for count in (12, 8))
    assert_same(whole[:8], part)


# Annotating a frame again


def test_the_last_annotation_of_a_frame_counts(name, network):
    """Cutie sums its summaries of an object over all frames that it ever saw, so the first one leaves a trace."""
    wrong = np.roll(BOTH, 20, axis=1)

    def continued(*given, between=0):
        propagator = Propagator(network, None, network.traits.policy, None)
        for mask in given:
            propagator.step(0, FRAMES[0], mask)
            for index in range(1, between + 1):
                propagator.step(index, FRAMES[index])
        assert propagator._bank.frames.count(0) == 1
        return [propagator.step(index, FRAMES[index]) for index in range(between + 1, between + 3)]

    twice, once, mistaken = continued(wrong, BOTH), continued(BOTH), continued(wrong)
    if name == "cutie":
        assert difference(twice[0], once[0]) < difference(mistaken[0], once[0])
    else:
        assert_same(twice, once)
    later = continued(wrong, BOTH, between=2)  # when frames that came from the wrong one have been seen
    assert difference(later[0], continued(BOTH, between=2)[0]) < difference(later[0], continued(wrong, between=2)[0])


# Stopping and going on


def test_a_run_that_is_killed_after_any_frame_goes_on_with_the_same_bits(network):
    masks = {1: SQUARE, 3: DISC, 5: BOTH}
    policy = replace(network.traits.policy, every=3, max_frames=3)
    whole = killed = Propagator(network, None, policy, OFTEN)
    for index, image in enumerate(FRAMES[:8]):
        killed, before = whole.fresh(), killed
        killed.restore(load(save(before.snapshot())))
        expected, found = (each.step(index, image, masks.get(index)) for each in (whole, killed))
        assert_same([found], [expected])
        assert found.reliability == expected.reliability


@pytest.mark.slow
def test_memory_is_flat_over_many_frames(network):
    """It is full after ten; what were to grow with every frame, or with every second one, would show at each look."""
    size = 32
    frames, ids = scene(20, size, size), scene_ids(1, size, size)[0]
    policy = replace(network.traits.policy, every=min(2, network.traits.policy.every), max_frames=4)
    propagator = Propagator(network, size, policy, None)
    held, stored = [], []
    for index in range(61):
        propagator.step(index, frames[index % 20], ids if index == 0 else None)
        assert len(propagator._bank) <= 4
        assert 0 in propagator._bank.frames
        if index and index % 20 == 0:
            held.append(bytes_held(propagator))
            stored.append(len(save(propagator.snapshot())))
    assert held == held[:1] * 3
    assert max(stored) - min(stored) < 64  # names and offsets in the header have more digits or fewer


def bytes_held(root: Any) -> int:
    """Bytes of all tensors that can be reached from an object."""
    storages, seen, waiting = {}, set(), [root]
    while waiting:
        each = waiting.pop()
        if id(each) in seen:
            continue
        seen.add(id(each))
        if isinstance(each, Tensor):
            storages[each.untyped_storage().data_ptr()] = each.untyped_storage().nbytes()
        elif isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list | tuple | set):
            waiting += each
        elif hasattr(each, "__dict__"):
            waiting += vars(each).values()
    return sum(storages.values())


# Options


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_masks_go_in_both_directions(network, direction):
    predictions = run(network, {1: DISC, 3: BOTH}, 5, direction=direction, correction=OFTEN)
    assert_sound(predictions)
    assert [p.index for p in predictions] == ([4, 3, 2, 1, 0] if direction == "backward" else [0, 1, 2, 3, 4])
    by_index = {p.index: p for p in predictions}
    np.testing.assert_array_equal(by_index[3].ids, BOTH)
    assert set(by_index[0].object_ids) == {1, 5}
    assert by_index[0].probabilities[1:].max() > 0.01


@pytest.mark.parametrize("size", ["auto", 32, 64])
def test_sizes(network, size):
    predictions = run(network, BOTH, 2, size=size)
    assert_sound(predictions)
    np.testing.assert_array_equal(predictions[0].ids, BOTH)


@pytest.mark.parametrize("size", [8, 50])
def test_a_size_works_or_is_refused_in_words(network, size):
    refused, predictions = [], []
    try:
        predictions = run(network, BOTH, 2, size=size)
    except ConfigError as error:
        refused.append(error)
    assert_sound(predictions)
    assert len(predictions) == (0 if refused else 2)
    assert all(str(size) in error.problem and error.remedy for error in refused)


@pytest.mark.parametrize(("every", "most"), [(1, 2), (3, None), ("auto", "auto")])
def test_memory_is_bounded_and_keeps_the_first_frame(network, every, most):
    propagator = make_propagator(network, SegmentationSettings(None, every, most))
    policy = propagator.policy
    assert every in ("auto", policy.every)
    assert most in ("auto", policy.max_frames)
    for index, image in enumerate(FRAMES[:6]):
        prediction = propagator.step(index, image, BOTH if index == 0 else None)
        assert 0 in propagator._bank.frames
        assert policy.max_frames is None or len(propagator._bank) <= policy.max_frames
        assert index % policy.every or index in propagator._bank.frames
    assert_sound([prediction])


CORRECTIONS = {
    "default": Correction.preset("default", every=1),
    "paper": Correction.preset("paper", every=1, steps=2),
    "best": Correction.preset("default", every=1, accept="better", reference="all", stop_at=0.999),
    "output": Correction(every=1, steps=2, rate=1e3, apply_to="output", project=True, hard_fraction=1.0),
}


@pytest.fixture(scope="module")
def plain(network):
    return run(network, {0: BOTH, 3: BOTH}, memory_every=1)


@pytest.mark.parametrize("correction", CORRECTIONS.values(), ids=CORRECTIONS)
def test_corrections(network, plain, correction):
    corrected = run(network, {0: BOTH, 3: BOTH}, memory_every=1, correction=correction)
    assert_sound(corrected)
    changed = [p.uncorrected is not None for p in corrected]
    if correction.apply_to == "memory":
        assert not any(changed)
        assert_same(corrected[:2], plain[:2])
        assert difference(corrected[2], plain[2]) > 0
    if correction.apply_to == "output":
        for before, after in zip(plain, corrected, strict=True):
            assert (difference(before, after) > 0) == (after.uncorrected is not None)
        assert any(changed)
        assert not changed[0]


def test_no_steps_are_no_correction(network):
    assert_same(run(network, BOTH, correction=Correction(steps=0, every=1)), run(network, BOTH))


def test_presets_have_names(network):
    for preset in ("default", "paper"):
        expected = run(network, BOTH, 2, correction=Correction.preset(preset))
        assert_same(run(network, BOTH, 2, correction=preset), expected)


# Gradients


def cycle_inputs(network) -> tuple[Tensor, Tensor]:
    """Two frames (2,3,H,W) at the network's size, and soft masks (1,3,H,W) of the second one."""
    dtype = next(iter(network.parameters())).dtype
    size = network.frame_size((HEIGHT, WIDTH), None)
    pixels = torch.stack([torch.from_numpy(image).permute(2, 0, 1).to(dtype) / 255 for image in FRAMES[:2]])
    hard = ids_to_probabilities(IDS[1], (1, 5))[None].to(dtype)
    unsure = hard * 3 + 0.3 * torch.randn(hard.shape, generator=torch.Generator().manual_seed(0), dtype=dtype)
    pixels, unsure = (torch.nn.functional.interpolate(each, size, mode="bilinear") for each in (pixels, unsure))
    return pixels, unsure.softmax(dim=1)


def loss_of(network) -> tuple[Callable[[Tensor], Tensor], Tensor]:
    """The cyclic loss as a function of the masks of the second frame, and such masks."""
    pixels, masks = cycle_inputs(network)
    labels = torch.nn.functional.interpolate(torch.from_numpy(BOTH)[None, None], masks.shape[-2:])[0].long()
    labels = torch.where(labels == 5, 2, labels)
    with torch.no_grad():
        reference, prepared = network.encode_query(pixels[:1]), network.prepare_memory(pixels[1:])

    def loss(masks: Tensor) -> Tensor:
        return cycle_loss(network, network.encode_memory(prepared, masks, TWO), reference, labels, TWO).total

    return loss, masks


@pytest.mark.usefixtures("_exact")
def test_the_gradient_of_the_cycle_agrees_with_finite_differences(exact_network):
    loss, masks = loss_of(exact_network)
    asked = masks.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(asked), asked)
    assert (gradient[0, 1:].flatten(1).abs().amax(dim=1) > 1e-8).all()
    for seed in range(3):
        direction = torch.randn(masks.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        ahead, behind = (loss((masks + sign * 1e-7 * direction).requires_grad_()).detach() for sign in (1, -1))
        assert_close((gradient * direction).sum(), (ahead - behind) / 2e-7, rtol=1e-3, atol=1e-7)


@pytest.mark.usefixtures("_exact")
def test_a_step_along_the_gradient_lowers_the_loss(exact_network):
    loss, masks = loss_of(exact_network)
    asked = masks.clone().requires_grad_()
    before = loss(asked)
    (gradient,) = torch.autograd.grad(before, asked)
    step = 1e-3 * gradient / gradient.abs().max()
    expected = float((gradient * step).sum())
    assert expected > 0
    lowered = before - loss((masks - step).requires_grad_())
    assert float(lowered.detach()) == pytest.approx(expected, rel=0.2)


def test_no_parameter_gets_a_gradient_or_changes(network):
    trainable = copy.deepcopy(network)
    for parameter in trainable.parameters():
        parameter.requires_grad_()
    before = {key: tensor.clone() for key, tensor in trainable.state_dict().items()}
    assert_sound(run(trainable, BOTH, 3, correction=replace(OFTEN, every=1)))
    cyclevos.cycle_erf(trainable, FRAMES[1], FRAMES[0], BOTH, steps=1, size=None)
    assert all(parameter.grad is None and parameter.requires_grad for parameter in trainable.parameters())
    assert all(torch.equal(tensor, before[key]) for key, tensor in trainable.state_dict().items())
    assert torch.is_grad_enabled()


def test_the_cycles_receptive_field_is_a_map_for_each_object(network):
    fields = cyclevos.cycle_erf(network, FRAMES[2], FRAMES[0], BOTH, steps=2, size=None)
    assert fields.shape == (2, HEIGHT, WIDTH)
    assert fields.dtype == np.float32
    assert np.isfinite(fields).all()
    assert fields.min() >= 0
    assert (fields.max(axis=(1, 2)) > 0).all()


# The caller's modes


@contextmanager
def float64_by_default():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


MODES = {"no_grad": torch.no_grad, "inference_mode": torch.inference_mode, "float64": float64_by_default}
BEGINNING = ((0, None), (1, BOTH), (2, None))


@pytest.fixture
def tiny_file(name, tmp_path, monkeypatch):
    """The network as a file of an installed package's family."""
    folder = tmp_path / "site" / "tiny-1.0.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(f"[{registry.ENTRY_POINTS}]\ntiny = families:TinyFamily\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    registry._installed_families.cache_clear()
    file = tmp_path / f"{name}.tiny"
    file.touch()
    yield file
    monkeypatch.undo()
    registry._installed_families.cache_clear()


def results(network):
    """A corrected run, killed and resumed, with a predictor of reliability; and a receptive field."""
    first = Propagator(network, None, network.traits.policy, replace(OFTEN, every=1))
    second = first.fresh()
    for each in (first, second):
        each.reliability.use(load_predictor())
    predictions = [first.step(index, FRAMES[index], given) for index, given in BEGINNING]
    second.restore(first.snapshot())
    predictions.append(second.step(3, FRAMES[3]))
    return predictions, cyclevos.cycle_erf(network, FRAMES[1], FRAMES[0], BOTH, steps=1, size=None)


@pytest.fixture(scope="module")
def ordinary_results(network):
    return results(network)


@pytest.mark.parametrize("mode", MODES)
def test_the_callers_mode_changes_nothing(network, ordinary_results, mode):
    with MODES[mode]():
        predictions, field = results(network)
    expected, expected_field = ordinary_results
    assert_sound(predictions)
    assert_same(predictions, expected, tolerance=1e-4)
    np.testing.assert_allclose(field, expected_field, atol=1e-4 * expected_field.max())


@pytest.mark.parametrize("mode", ["inference_mode", "float64"])
def test_a_network_may_be_loaded_in_any_mode(ordinary_results, tiny_file, mode):
    with MODES[mode]():
        loaded = cyclevos.load_network(tiny_file, device="cpu", dtype="float32")
    assert_same(results(loaded)[0], ordinary_results[0], tolerance=1e-4)


def test_a_run_may_go_on_in_another_mode(network, ordinary_results):
    expected, _ = ordinary_results
    propagator = Propagator(network, None, network.traits.policy, replace(OFTEN, every=1))
    propagator.reliability.use(load_predictor())
    with torch.inference_mode():
        found = [propagator.step(index, FRAMES[index], given) for index, given in BEGINNING]
        held = propagator.snapshot()
    propagator = propagator.fresh()
    propagator.reliability.use(load_predictor())
    propagator.restore(held)
    found.append(propagator.step(3, FRAMES[3]))
    assert_same(found, expected, tolerance=1e-4)


def test_a_network_that_was_built_in_inference_mode_is_refused_where_it_needs_gradients(name):
    with torch.inference_mode():
        built = families.build(name)
    assert_sound(run(built, BOTH, 3))
    with pytest.raises(ConfigError, match=r"built within torch.inference_mode.*cyclevos.load_network"):
        run(built, BOTH, 2, correction="default")
    with pytest.raises(ConfigError, match=r"built within torch.inference_mode"):
        cyclevos.cycle_erf(built, FRAMES[1], FRAMES[0], BOTH, steps=1, size=None)


# Speed


@pytest.mark.usefixtures("_exact")
def test_clips_in_lock_step_have_the_masks_of_one_by_one(exact_network):
    policy = MemoryPolicy(every=2, max_frames=3, previous=exact_network.traits.policy.previous)

    def new_run(start, masks):
        return ClipRun(Propagator(exact_network, None, policy, OFTEN), FRAMES[start : start + 3], masks)

    clips = ((0, {0: BOTH}), (3, {0: np.roll(DISC, 6, axis=1), 1: SQUARE}))
    expected = [
        [p for _, p in segment_frames(each.propagator, each.frames, each.masks)]
        for each in (new_run(*clip) for clip in clips)
    ]
    runs = [new_run(*clip) for clip in clips]
    found = {each: [] for each in runs}
    for event in segment_together(runs, 2, batch=True):
        if isinstance(event, ClipFrame):
            found[event.run].append(event.prediction)
        else:
            assert event.error is None
    for each, predictions in zip(runs, expected, strict=True):
        assert_same(found[each], predictions, tolerance=1e-4)


def test_bfloat16_masks_are_nearly_those_of_float32(network):
    half = copy.deepcopy(network).to(torch.bfloat16)
    exact, rounded = (run(each, BOTH, 3, correction=OFTEN) for each in (network, half))
    assert_sound(rounded)
    best, second = exact[1].probabilities.topk(2, dim=0).values
    clear = (best - second > 0.1).numpy()  # random networks leave many pixels undecided
    found, expected = (np.where(clear, p.ids, 255) for p in (rounded[1], exact[1]))
    scores = [binary_iou(found == i, expected == i) for i in (0, 1, 5) if (expected == i).mean() > 0.05]
    assert scores
    assert min(scores) > 0.9


# Objects that end


def answer(propagator, network, image):
    """What the network says about the next frame, before objects are compared: the logit of each object's mask."""
    frame = propagator.fit(9, image)
    query = network.encode_query(frame.pixels)
    present = torch.ones(1, len(propagator.objects), dtype=torch.bool)
    said = network.segment(query, propagator._bank.read(9), present, propagator._state)
    return dict(zip(propagator.objects, said.logits[0, 1:], strict=True))


@pytest.mark.parametrize("gone", [1, 5, 9])
@pytest.mark.usefixtures("_exact")
def test_a_removed_object_leaves_no_trace_and_the_others_as_they_were(exact_network, gone):
    """Each comes in a frame of its own, so that no network has encoded one beside another that came later."""
    third = np.where(DISC, 0, np.roll(SQUARE, -9, axis=1)).astype(np.uint8) // 5 * 9
    policy = MemoryPolicy(2, None, previous=exact_network.traits.policy.previous)
    propagator = Propagator(exact_network, None, policy, OFTEN)
    for index, annotation in enumerate([DISC, None, SQUARE, None, third, None]):
        propagator.step(index, FRAMES[index], annotation)
    before = answer(propagator, exact_network, FRAMES[6])
    propagator.remove_object(gone)
    after = answer(propagator, exact_network, FRAMES[6])
    assert list(after) == [i for i in (1, 5, 9) if i != gone]
    for object_id, logit in after.items():
        assert_close(logit, before[object_id], atol=1e-6, rtol=1e-6)
    held = propagator.snapshot()
    assert gone not in held["propagator"][2:].tolist()
    assert not (held["reference_ids"] == gone).any()
    assert gone not in held["reliability"][:, 0].tolist()
    p = propagator.step(6, FRAMES[6])
    assert p.object_ids == tuple(after)
    assert gone not in p.ids
    assert set(p.reliability) == set(after)
    assert p.probabilities.shape[0] == 3


@pytest.mark.parametrize("gone", [1, 5])
def test_a_run_goes_on_after_a_removal_and_from_a_snapshot_of_it(network, gone):
    propagator = Propagator(network, None, MemoryPolicy(2, 4, previous=network.traits.policy.previous))
    for index in range(4):
        propagator.step(index, FRAMES[index], BOTH if index == 0 else None)
    propagator.remove_object(gone)
    other = propagator.fresh()
    other.restore(propagator.snapshot())
    for index in range(4, 8):
        one, same = (each.step(index, FRAMES[index]) for each in (propagator, other))
        assert one.object_ids == (6 - gone,)
        assert torch.equal(one.probabilities, same.probabilities)
    again = propagator.step(8, FRAMES[8], np.where(IDS[8] == gone, gone, 0).astype(np.uint8))
    assert again.object_ids == (6 - gone, gone)
    assert_sound([again, propagator.step(9, FRAMES[9])])


def test_after_the_last_object_is_removed_everything_is_as_at_the_start(network):
    fresh = Propagator(network, None, MemoryPolicy(2, 4, previous=network.traits.policy.previous))
    used = fresh.fresh()
    for index in range(3):
        used.step(index, FRAMES[index], DISC if index == 0 else None)
    used.remove_object(1)
    blank = used.step(3, FRAMES[3])
    assert blank.object_ids == ()
    assert not blank.ids.any()
    for index in range(4, 8):
        expected, found = (each.step(index, FRAMES[index], SQUARE if index == 4 else None) for each in (fresh, used))
        assert torch.equal(found.probabilities, expected.probabilities)
        assert found.reliability == expected.reliability


def test_what_is_carried_has_a_row_for_each_object(network):
    propagator = Propagator(network)
    propagator.step(0, FRAMES[0], BOTH)
    assert all(len(rows) == 2 for rows in (propagator._state or {}).values())


# Adaptation


def test_it_adapts_to_a_video(network):
    settings = Adaptation(steps=2, rate=1e-3, size=None, gap=4, least_area=1e-6, guard=False)
    losses = []
    before = copy.deepcopy(network.state_dict())
    adapted = adapt(network, FRAMES, {0: BOTH}, settings, progress=lambda done, loss: losses.append(loss))
    assert len(losses) == 2
    assert all(loss > 0 for loss in losses)
    assert difference(run(adapted, {0: BOTH})[1], run(network, {0: BOTH})[1]) > 0
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
