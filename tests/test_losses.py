"""Losses against hand-worked values, a slow version and their invariances."""

import pytest
import torch

from cyclevos.losses import counted_labels, hard_cross_entropy, mask_loss, soft_iou


def test_hard_cross_entropy_keeps_the_worst_share():
    logits = torch.zeros(1, 2, 1, 10)
    logits[0, 1, 0] = torch.arange(10.0)
    labels = torch.zeros(1, 1, 10, dtype=torch.long)
    per_pixel = torch.log(1 + torch.exp(torch.arange(10.0)))
    torch.testing.assert_close(hard_cross_entropy(logits, labels, 0.4)[0], per_pixel[-4:].mean())


def test_soft_iou_by_hand():
    foreground = torch.tensor([[[[0.5, 1.0, 0.0]]]])
    labels = torch.tensor([[[1, 1, 0]]])
    torch.testing.assert_close(soft_iou(foreground, labels), torch.tensor([[1.5 / 2]]), atol=1e-5, rtol=0)


def test_ignored_pixels_add_nothing():
    logits, labels = torch.randn(1, 3, 4, 6), torch.randint(0, 3, (1, 4, 6))
    labels[0, :, 3:] = 255
    counted = torch.ones(1, 2, dtype=torch.bool)
    changed = logits.clone()
    changed[..., 3:] += torch.randn(1, 3, 4, 3)
    for before, after in zip(mask_loss(logits, labels, counted), mask_loss(changed, labels, counted), strict=True):
        torch.testing.assert_close(before, after)


def test_objects_that_do_not_count_become_background():
    labels = torch.tensor([[[0, 1, 2, 255]]])
    assert counted_labels(labels, torch.tensor([[False, True]])).tolist() == [[[0, 0, 2, 255]]]


def test_permuting_objects_changes_nothing():
    logits, labels = torch.randn(2, 4, 8, 8), torch.randint(0, 4, (2, 8, 8))
    counted = torch.ones(2, 3, dtype=torch.bool)
    order = torch.tensor([0, 2, 3, 1])
    back = torch.argsort(order)
    straight = mask_loss(logits, labels, counted)
    permuted = mask_loss(logits[:, order], back[labels], counted)
    torch.testing.assert_close(straight.total, permuted.total)


def test_a_frame_where_nothing_counts_adds_nothing_and_has_a_gradient():
    logits = torch.randn(2, 2, 4, 4, requires_grad=True)
    labels = torch.randint(0, 2, (2, 4, 4))
    loss = mask_loss(logits, labels, torch.tensor([[True], [False]]))
    alone = mask_loss(logits[:1], labels[:1], torch.tensor([[True]]))
    torch.testing.assert_close(loss.total, alone.total)
    loss.total.backward()
    assert logits.grad[1].abs().sum() == 0
    assert logits.grad[0].abs().sum() > 0


def test_gradients():
    logits = torch.randn(1, 3, 3, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([[[0, 1, 2], [2, 1, 0], [255, 1, 1]]])
    counted = torch.tensor([[True, True]])
    assert torch.autograd.gradcheck(lambda x: mask_loss(x, labels, counted).total, [logits])


@pytest.mark.parametrize("fraction", [0, 1.5])
def test_fraction_out_of_range_is_named(fraction):
    with pytest.raises(ValueError, match=f"got {fraction}"):
        mask_loss(torch.zeros(1, 2, 2, 2), torch.zeros(1, 2, 2).long(), torch.ones(1, 1).bool(), fraction)


def test_shapes_are_named():
    with pytest.raises(ValueError, match=r"\(1, 3, 2, 2\)"):
        mask_loss(torch.zeros(1, 3, 2, 2), torch.zeros(1, 2, 2).long(), torch.ones(1, 1).bool())
