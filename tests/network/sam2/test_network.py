"""The network: sizes, numbers of objects, dtypes."""

from __future__ import annotations

import copy

import pytest
import torch
from torch.testing import assert_close

from cyclevos.errors import ConfigError
from cyclevos.network.protocol import Segmentation
from cyclevos.network.sam2.build import build_sam2

BOTH = torch.ones(1, 2, dtype=torch.bool)


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def _resized(images, side):
    return torch.nn.functional.interpolate(images, (side, side), mode="bilinear", antialias=True)


def _second_frame(network, frames, masks, present=BOTH):
    """Segment the second frame from the first one."""
    memory = network.encode_memory(network.encode_query(frames[:1]), masks, present)
    return network.segment(network.encode_query(frames[1:2]), memory.alone(1), present)


def test_traits(network):
    traits = network.traits
    assert (traits.family, traits.size, traits.policy.every, traits.policy.max_frames) == ("sam2", 128, 1, 16)


def test_frames_become_squares_of_the_training_size_or_of_the_one_asked_for(network):
    assert network.frame_size((480, 854), None) == (128, 128)
    assert network.frame_size((480, 854), 192) == (192, 192)


@pytest.mark.parametrize(("side", "remedy"), [(100, "Give 96 or 128;"), (20, "Give 32;"), (0, "Give 32;")])
def test_a_size_that_does_not_work_is_refused_with_those_that_do(network, side, remedy):
    with pytest.raises(ConfigError, match=f"multiples of 32 pixels, got {side}. {remedy} it was trained at 128"):
        network.frame_size((480, 854), side)


@pytest.mark.parametrize("side", [32, 64, 192])
def test_another_size_than_that_of_the_training(network, new_config, frames, masks, side):
    """A network made for that size, with the same weights, gives the same masks."""
    made_for_it = build_sam2(new_config(side))
    made_for_it.load_state_dict(network.state_dict())
    small = _resized(frames[:2], side), _resized(masks, side)
    logits = _second_frame(network, *small).logits
    assert logits.shape == (1, 3, side, side)
    assert_close(logits, _second_frame(made_for_it, *small).logits, atol=1e-4, rtol=1e-4)
    own_size = torch.nn.functional.interpolate(_second_frame(network, frames, masks).logits, (side, side))
    assert (logits - own_size).abs().max() > 0.1


def test_a_size_between_is_not_encoded(network):
    with pytest.raises(ValueError, match="expected squares with a side from frame_size, got 100x100"):
        network.encode_query(torch.rand(1, 3, 100, 100))
    with pytest.raises(ValueError, match="got 64x128"):
        network.encode_query(torch.rand(1, 3, 64, 128))


def test_frames_are_encoded_in_a_batch_as_one_by_one(network, frames, masks):
    both = network.encode_query(frames[:2])
    memory = network.encode_memory(both.select(slice(0, 1)), masks, BOTH)
    batched = network.segment(both.select(slice(1, 2)), memory.alone(1), BOTH)
    assert both.size == (128, 128)
    assert_close(batched.logits, _second_frame(network, frames, masks).logits, atol=5e-4, rtol=1e-4)


def test_objects_are_segmented_in_a_batch_as_one_by_one(network, frames, masks):
    together = _second_frame(network, frames, masks).logits
    one = torch.ones(1, 1, dtype=torch.bool)
    for slot in (1, 2):
        alone = _second_frame(network, frames, masks[:, [0, slot]], one).logits
        assert_close(together[:, [0, slot]], alone, atol=5e-4, rtol=1e-4)


def test_permuting_objects_permutes_masks(network, frames, masks):
    swapped = _second_frame(network, frames, masks[:, [0, 2, 1]]).logits
    assert_close(swapped[:, [0, 2, 1]], _second_frame(network, frames, masks).logits, atol=5e-4, rtol=1e-4)


def test_absent_slots_get_no_mask(network, frames, masks):
    present = torch.tensor([[False, True]])
    answer = _second_frame(network, frames, masks, present)
    assert answer.logits.shape == (1, 3, 128, 128)
    assert bool((answer.logits[:, 1] == -1024).all())
    assert_close(answer.logits[:, 2], _second_frame(network, frames, masks).logits[:, 2], atol=5e-4, rtol=1e-4)


def test_without_an_object_everything_is_background(network, frames, masks):
    memory = network.encode_memory(network.encode_query(frames[:1]), masks, BOTH)
    nobody = torch.zeros(1, 2, dtype=torch.bool)
    answer = network.segment(network.encode_query(frames[1:2]), memory.select(nobody[0]).alone(1), nobody)
    assert answer.logits.softmax(dim=1)[:, 0].unique().tolist() == [1]


def test_two_clips_at_once_are_two_clips(network, frames, masks):
    masks = torch.cat([masks, masks.flip(-1)])
    present = torch.tensor([[True, True], [False, True]])
    both = _second_pair(network, frames, masks, present)
    for row in range(2):
        pair = slice(row, row + 1)
        alone = _second_pair(network, frames[2 * row :], masks[pair], present[pair])
        assert_close(both[pair], alone, atol=5e-4, rtol=1e-4)


def _second_pair(network, frames, masks, present):
    """Segment frames 1 and 3 from frames 0 and 2, or only one of them."""
    rows = [2 * row for row in range(len(masks))]
    memory = network.encode_memory(network.encode_query(frames[rows]), masks, present)
    return network.segment(network.encode_query(frames[[row + 1 for row in rows]]), memory.alone(1), present).logits


def test_objects_in_chunks(network, frames, masks):
    whole = _second_frame(network, frames, masks)
    chunked = copy.copy(network)
    chunked.chunks = type(network.chunks)()
    chunked.chunks.at_once = 1
    seen = []
    handle = network.model.mask_decoder.register_forward_hook(lambda *call: seen.append(len(call[2][0])))
    parts = _second_frame(chunked, frames, masks)
    handle.remove()
    assert seen == [1, 1, 1, 1]
    assert_close(parts.logits, whole.logits, atol=5e-4, rtol=1e-4)


def test_the_answer_is_remembered_by_its_logits(network, frames, masks):
    features = network.encode_query(frames[1:2])
    said = _second_frame(network, frames, masks)
    probabilities = said.logits.softmax(dim=1)
    own = network.encode_memory(features, probabilities, BOTH, said, BOTH)
    assert_close(own.pointers, said.state["pointers"][0])
    crowd = torch.cat([said.logits, said.logits[:, 1:2] + 1], dim=1)  # another object over the first one
    crowded = Segmentation(crowd, said.state)
    same = network.encode_memory(features, crowd.softmax(dim=1)[:, :3], BOTH, crowded, BOTH)
    assert_close(same.tokens, own.tokens)


def test_a_new_object_beside_the_answer(network, frames, masks):
    features = network.encode_query(frames[1:2])
    one = torch.ones(1, 1, dtype=torch.bool)
    said = _second_frame(network, frames, masks[:, :2], one)
    shown = torch.cat([said.logits.softmax(dim=1), masks[:, 2:]], dim=1)
    memory = network.encode_memory(features, shown, BOTH, said, torch.tensor([[True, False]]))
    assert_close(memory.pointers[:1], said.state["pointers"][0])
    expected = network.encode_memory(features, shown[:, [0, 2]], one)
    assert_close(memory.pointers[1:], expected.pointers, atol=1e-4, rtol=1e-4)
    assert_close(memory.tokens[1:], expected.tokens, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(network, variant, frames, masks, dtype):
    half = copy.deepcopy(network).to(dtype)
    logits = _second_frame(half, frames.to(dtype), masks).logits
    exact = _second_frame(network, frames, masks).logits
    assert logits.dtype == torch.float32
    assert bool(logits.isfinite().all())
    memory, closely = (each.encode_memory(each.encode_query(frames[:1].to(next(each.parameters()))), masks, BOTH).tokens
                       for each in (half, network))  # fmt: skip
    assert (memory.float() - closely).norm() < 0.1 * closely.norm()
    if (variant, dtype) != ("edgetam", torch.bfloat16):  # its random attention turns rounding into another answer
        assert ((logits > 0) == (exact > 0)).float().mean() > 0.9
    assert next(half.parameters()).dtype == dtype


def test_a_copy_shares_nothing(network, frames, masks):
    before = _second_frame(network, frames, masks).logits
    copied = copy.deepcopy(network)
    for parameter in copied.parameters():
        parameter.zero_()
    assert torch.equal(before, _second_frame(network, frames, masks).logits)
    assert not torch.equal(before, _second_frame(copied, frames, masks).logits)
