"""The cycle: gradients by the masks."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from cyclevos.cycle import cycle_loss, reconstruct_reference

BOTH = torch.ones(1, 2, dtype=torch.bool)
SIDE = 64


@pytest.fixture
def loss(exact_network, frames, masks, clip):
    """Return the cyclic loss as a function of the masks of frame 3, at half the size."""
    small = torch.nn.functional.interpolate(frames[[0, 3]].double(), (SIDE, SIDE), mode="area")
    labels = torch.from_numpy(clip.ids[0][::2, ::2].copy()).long()[None]
    with torch.no_grad():
        reference, prepared = (exact_network.encode_query(frame[None]) for frame in small)

    def compute(masks):
        memory = exact_network.encode_memory(prepared, masks, BOTH)
        return cycle_loss(exact_network, memory, reference, labels, BOTH, hard_fraction=1.0).total

    return compute


@pytest.fixture
def start(masks):
    return torch.nn.functional.interpolate(masks.double(), (SIDE, SIDE), mode="area")


def test_the_gradient_agrees_with_finite_differences(loss, start):
    asked = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(loss(asked), asked)
    step = 1e-4
    for seed in range(3):
        direction = torch.randn(start.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        ahead, behind = (loss((start + sign * step * direction).requires_grad_()).detach() for sign in (1, -1))
        assert_close((ahead - behind) / (2 * step), (gradient * direction).sum(), rtol=0.02, atol=1e-6)
    assert gradient[:, 1:].abs().sum() > 1e-3


def test_a_step_along_the_gradient_lowers_the_loss(loss, start):
    asked = start.clone().requires_grad_()
    before = loss(asked)
    (gradient,) = torch.autograd.grad(before, asked)
    after = loss((start - 0.02 * gradient / gradient.abs().max()).requires_grad_())
    assert after < before - 1e-4


def test_no_parameter_gets_a_gradient(loss, start, exact_network):
    asked = start.clone().requires_grad_()
    loss(asked).backward()
    assert asked.grad is not None
    assert all(parameter.grad is None for parameter in exact_network.parameters())


def test_the_gradient_comes_through_tokens_and_pointers(exact_network, frames, masks):
    with torch.no_grad():
        reference, prepared = (exact_network.encode_query(frame[None].double()) for frame in frames[:2])
    asked = masks.double().requires_grad_()
    memory = exact_network.encode_memory(prepared, asked, BOTH)
    logits = reconstruct_reference(exact_network, memory, reference, BOTH, apart=1)
    by_tokens, by_pointers = torch.autograd.grad(logits[:, 1:].sigmoid().mean(), (memory.tokens, memory.pointers))
    assert by_tokens.abs().max() > 0
    assert by_pointers.abs().max() > 0


@pytest.fixture
def doubtful(exact_network):
    """The network, which considers every object absent."""
    bias = exact_network.model.mask_decoder.pred_obj_score_head.proj_out.bias
    bias.sub_(100)
    yield exact_network
    bias.add_(100)


def test_a_visible_mask_is_remembered_alike_with_and_without_gradient(doubtful, frames, masks):
    prepared, masks = doubtful.encode_query(frames[:1].double()), masks.double()
    plain = doubtful.encode_memory(prepared, masks, BOTH)
    asked = doubtful.encode_memory(prepared, masks.clone().requires_grad_(), BOTH)
    assert_close(plain.tokens, asked.tokens.detach())
    assert_close(plain.pointers, asked.pointers.detach())


def test_a_mask_without_a_probable_pixel_is_one_of_an_absent_object_unless_it_is_corrected(network, frames, masks):
    prepared = network.encode_query(frames[:1])
    faint = masks * torch.tensor([1, 0.4, 1])[:, None, None]
    absent, visible = (network.encode_memory(prepared, mask, BOTH) for mask in (faint, masks))
    asked = network.encode_memory(prepared, faint.clone().requires_grad_(), BOTH)
    assert_close(absent.pointers[:1], network.model.no_object_pointer)
    assert_close(absent.pointers[1], visible.pointers[1], atol=1e-5, rtol=1e-5)
    assert (asked.pointers[0] - absent.pointers[0]).abs().max() > 0.1


def test_the_cycle_answers_for_objects_that_the_network_considers_absent(doubtful, frames, masks):
    features = doubtful.encode_query(frames[:1].double())
    alone = doubtful.encode_memory(features, masks.double(), BOTH).alone(1)
    cycle = doubtful.segment(features, alone, BOTH)
    gated = doubtful.segment(features, alone._replace(gated=True), BOTH)
    assert cycle.logits[:, 1:].min() > -100
    assert bool((gated.logits[:, 1:] == -1024).all())
