"""Cutie under our protocol: equal to the library's own inference, and with the right gradient in the cycle."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from cyclevos.cycle import cycle_loss, reconstruct_reference
from cyclevos.network.cutie.library import silence
from cyclevos.network.cutie.network import CutieNetwork
from cyclevos.network.traits import MemoryPolicy
from cyclevos.propagation.propagator import Propagator

pytest.importorskip("cutie.model", reason="the extra cutie is not installed")

BOTH = torch.ones(1, 2, dtype=torch.bool)


def as_input(image: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.from_numpy(image).permute(2, 0, 1)[None].to(dtype) / 255


def soft(ids: np.ndarray, dtype: torch.dtype = torch.float32) -> Tensor:
    """Unsure masks (1,3,H,W) of both objects."""
    hard = torch.stack([torch.from_numpy(ids) == i for i in range(3)])[None].to(dtype)
    return 0.8 * hard + 0.2 / 3


def only(ids: np.ndarray, *objects: int) -> np.ndarray:
    return np.where(np.isin(ids, objects), ids, 0).astype(np.uint8)


@torch.no_grad()
def library_masks(
    network: CutieNetwork, frames: list[np.ndarray], given: dict[int, np.ndarray], policy: MemoryPolicy
) -> list[Tensor]:
    """The library's own inference; every annotation shows new objects only, as its data sets do."""
    from cutie.inference.inference_core import InferenceCore
    from omegaconf import OmegaConf

    settings = OmegaConf.create(
        {
            "model": network.cutie.cfg.model,
            "mem_every": policy.every,
            "max_mem_frames": policy.max_frames,
            "stagger_updates": 5,
            "chunk_size": -1,
            "save_aux": False,
            "max_internal_size": -1,
            "flip_aug": False,
            "top_k": 30,
            "use_long_term": False,
            "long_term": {"count_usage": False},
        }
    )
    silence()
    core = InferenceCore(network.cutie, settings)
    masks = []
    for index, image in enumerate(frames):
        ids = given.get(index)
        objects = None if ids is None else [int(i) for i in np.unique(ids) if i]
        masks.append(core.step(as_input(image)[0], None if ids is None else torch.from_numpy(ids), objects))
    return masks


def our_masks(
    network: CutieNetwork, frames: list[np.ndarray], given: dict[int, np.ndarray], policy: MemoryPolicy
) -> list[Tensor]:
    propagator = Propagator(network, None, policy, correction=None)  # the library drops no islands
    return [propagator.step(index, image, given.get(index)).probabilities for index, image in enumerate(frames)]


@pytest.mark.slow
@pytest.mark.parametrize("size", [(96, 112), (70, 90)], ids=["multiple of 16", "padded"])
def test_the_loop_gives_the_librarys_masks_with_an_object_that_comes_later(network, film, size):
    frames, ids = film(*size, 12)
    given = {0: only(ids[0], 1), 4: only(ids[4], 2)}
    policy = network.traits.policy

    ours, theirs = (masks(network, frames, given, policy) for masks in (our_masks, library_masks))

    assert [len(mask) for mask in ours] == 4 * [2] + 8 * [3]
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0)
    assert 0.1 < ours[-1][1:].mean() < 0.9, "the masks are empty or full and show nothing"
    assert ours[-1][1].std() > 0.02


@pytest.mark.slow
def test_the_loop_gives_the_librarys_masks_when_old_frames_are_dropped(network, film):
    frames, ids = film(80, 96, 12)
    policy = replace(network.traits.policy, every=2, max_frames=3)

    ours, theirs = (masks(network, frames, {0: ids[0]}, policy) for masks in (our_masks, library_masks))

    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0)


@pytest.mark.slow
def test_each_group_of_objects_reads_only_the_frames_since_it_came(network, film):
    frames, ids = film(80, 96, 8)
    third = np.zeros_like(ids[3])
    third[2:20, 70:90] = 3
    given = {0: ids[0], 3: third}
    policy = network.traits.policy

    ours, theirs = (masks(network, frames, given, policy) for masks in (our_masks, library_masks))

    assert len(ours[-1]) == 4
    for mine, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine, expected, atol=1e-5, rtol=0)


def cycle(network: CutieNetwork, frames: list[np.ndarray], dtype: torch.dtype = torch.float32):
    with torch.no_grad():
        reference = network.encode_query(as_input(frames[0], dtype))
        prepared = network.prepare_memory(as_input(frames[1], dtype))
    return reference, prepared


def test_the_cycles_gradient_agrees_with_finite_differences(network, film, monkeypatch):
    # The library converts to float32 in many places, too coarse for small differences.
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    exact = copy.deepcopy(network).double()
    frames, ids = film(40, 48, 2)
    reference, prepared = cycle(exact, frames, torch.float64)
    labels = torch.from_numpy(ids[0]).long()[None]
    # In a flat mask, neighbouring cells tie in the max pooling: it has a kink exactly there.
    mask = (soft(ids[1], torch.float64).log() + 0.3 * torch.randn(1, 3, 40, 48)).softmax(dim=1)

    def loss(masks: Tensor) -> Tensor:
        return cycle_loss(exact, exact.encode_memory(prepared, masks, BOTH), reference, labels, BOTH).total

    asked = mask.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(asked), asked)

    assert gradient.abs().max() > 0
    for seed in range(3):
        direction = torch.randn(mask.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        with torch.no_grad():
            measured = (loss(mask + 1e-7 * direction) - loss(mask - 1e-7 * direction)) / 2e-7
        torch.testing.assert_close((gradient * direction).sum(), measured, rtol=1e-4, atol=0)


def test_a_step_along_the_gradient_lowers_the_loss_and_leaves_the_parameters_alone(network, film):
    frames, ids = film(70, 90, 2)
    reference, prepared = cycle(network, frames)
    labels, mask = torch.from_numpy(ids[0]).long()[None], soft(ids[1]).requires_grad_()

    def loss(masks: Tensor) -> Tensor:
        return cycle_loss(network, network.encode_memory(prepared, masks, BOTH), reference, labels, BOTH).total

    before = loss(mask)
    (gradient,) = torch.autograd.grad(before, mask)

    assert loss(mask - 0.1 * gradient / gradient.abs().max()) < before
    assert all(parameter.grad is None for parameter in network.parameters())


def test_the_cycle_of_one_object_leaves_the_other_slot_empty(network, film):
    frames, ids = film(64, 96, 2)
    reference, prepared = cycle(network, frames)
    second = torch.tensor([[False, True]])
    with torch.no_grad():
        memory = network.encode_memory(prepared, soft(ids[1]), BOTH).select(second[0])
        logits = reconstruct_reference(network, memory, reference, second)
        alone = reconstruct_reference(network, memory, reference, torch.tensor([[True]]))

    assert logits.shape == (1, 3, 64, 96)
    torch.testing.assert_close(logits[:, [0, 2]], alone)
    assert logits.softmax(dim=1)[:, 1].max() < 1e-6


def test_only_the_objects_present_are_remembered_and_seen_by_the_others(network, film):
    frames, ids = film(64, 96, 2)
    _, prepared = cycle(network, frames)
    mask = soft(ids[1])
    with torch.no_grad():
        first = network.encode_memory(prepared, mask, torch.tensor([[True, False]]))
        expected = network.encode_memory(prepared, mask[:, :2], torch.tensor([[True]]))

    torch.testing.assert_close(first.value, expected.value)
    torch.testing.assert_close(first.summary, expected.summary)


def test_swapping_the_objects_swaps_their_masks(network, film):
    frames, ids = film(64, 96, 7)
    policy = network.traits.policy
    swapped = np.array([0, 2, 1], dtype=np.uint8)[ids[0]]

    straight = our_masks(network, frames, {0: ids[0]}, policy)
    crossed = our_masks(network, frames, {0: swapped}, policy)

    torch.testing.assert_close(crossed[-1][[0, 2, 1]], straight[-1], atol=1e-5, rtol=0)
    assert (straight[-1][1] - straight[-1][2]).abs().max() > 0.01


def test_an_object_beside_an_empty_one_has_finite_masks_and_gradients(network, film):
    frames, ids = film(64, 96, 2)
    reference, prepared = cycle(network, frames)
    mask = torch.zeros(1, 3, 64, 96)
    mask[0, 1] = torch.from_numpy(ids[1]) == 1
    mask[0, 0] = 1 - mask[0, 1]
    mask.requires_grad_()
    logits = reconstruct_reference(network, network.encode_memory(prepared, mask, BOTH), reference, BOTH)
    (gradient,) = torch.autograd.grad(logits.softmax(dim=1)[:, 1].mean(), mask)

    assert logits.isfinite().all()
    assert gradient.isfinite().all()
    assert gradient[0, 1].abs().max() > 0


@pytest.mark.parametrize("size", [(1, 1), (16, 40)])
def test_frames_of_a_few_cells_work(network, size):
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (*size, 3), dtype=np.uint8) for _ in range(3)]
    masks = our_masks(network, frames, {0: np.ones(size, dtype=np.uint8)}, network.traits.policy)

    assert masks[-1].shape == (2, *size)
    assert masks[-1].isfinite().all()


def test_a_snapshot_continues_with_the_same_bits(network, film):
    frames, ids = film(70, 90, 12)
    given = {0: only(ids[0], 1), 4: only(ids[4], 2)}
    first = Propagator(network, None, network.traits.policy)
    for index in range(8):
        first.step(index, frames[index], given.get(index))
    second = first.fresh()
    second.restore(first.snapshot())

    for index in range(8, 12):
        expected, continued = (each.step(index, frames[index]).probabilities for each in (first, second))
        assert torch.equal(continued, expected)
    assert first.snapshot().keys() == second.snapshot().keys()


def test_objects_in_chunks_have_the_same_masks(network, film):
    frames, ids = film(70, 90, 7)
    together = our_masks(network, frames, {0: ids[0]}, network.traits.policy)
    network.chunks.at_once = 1
    try:
        in_turn = our_masks(network, frames, {0: ids[0]}, network.traits.policy)
    finally:
        network.chunks.at_once = None

    torch.testing.assert_close(in_turn[-1], together[-1], atol=1e-5, rtol=0)


@pytest.mark.slow
def test_half_precision_is_close_and_keeps_the_exact_tensors(network, film):
    frames, ids = film(70, 90, 7)
    given = {0: only(ids[0], 1), 4: only(ids[4], 2)}
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    expected = our_masks(network, frames, given, network.traits.policy)
    half = copy.deepcopy(network).to(torch.bfloat16)
    kept = [name for name, tensor in half.state_dict().items() if tensor.dtype == torch.float32]

    masks = our_masks(half, frames, given, network.traits.policy)

    assert next(half.parameters()).dtype == torch.bfloat16
    assert "cutie.mask_decoder.pred.weight" in kept
    assert "cutie.object_transformer.spatial_pe.inv_freq" in kept
    assert all(torch.equal(half.state_dict()[name], before[name]) for name in kept)
    assert (masks[-1] - expected[-1]).abs().mean() < 0.02
    restored = our_masks(half.float(), frames, given, network.traits.policy)
    assert restored[-1].dtype == torch.float32


def test_frames_encoded_in_a_batch_are_those_encoded_alone(network, film):
    frames, _ = film(70, 90, 2)
    with torch.no_grad():
        batch = network.encode_query(torch.cat([as_input(frame) for frame in frames]))
        alone = network.encode_query(as_input(frames[1]))
    second = batch.select(slice(1, 2))

    assert second.size == (70, 90)
    torch.testing.assert_close(second.key, alone.key, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(second.pixels, alone.pixels, atol=1e-4, rtol=1e-4)
