"""Ids to probabilities and back, by hand and by chance."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cyclevos.errors import MaskError
from cyclevos.masks import (
    EPSILON,
    binary_iou,
    ids_to_probabilities,
    object_ids,
    probabilities_to_ids,
    soft_aggregation,
)

small_masks = arrays(np.uint8, st.tuples(st.integers(1, 6), st.integers(1, 6)))


@settings(max_examples=50, deadline=None)
@given(small_masks)
def test_ids_survive_the_way_to_probabilities_and_back(ids):
    objects = object_ids(ids)
    probabilities = ids_to_probabilities(ids, objects)
    assert probabilities.shape == (len(objects) + 1, *ids.shape)
    assert probabilities.dtype == torch.float32
    assert torch.equal(probabilities.sum(dim=0), torch.ones(ids.shape))
    back = probabilities_to_ids(probabilities, objects)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, ids)


def test_ids_that_are_not_asked_for_are_background():
    probabilities = ids_to_probabilities(np.array([[3, 0, 7]], np.uint8), [7, 9])
    assert probabilities[:, 0].tolist() == [[1, 1, 0], [0, 0, 1], [0, 0, 0]]


def test_a_read_only_mask_is_taken_without_a_warning():
    ids = np.frombuffer(b"\0\5", np.uint8).reshape(1, 2)
    assert ids_to_probabilities(ids, [5])[1].tolist() == [[0, 1]]


def test_no_object_leaves_the_background_alone():
    assert ids_to_probabilities(np.ones((2, 3), np.uint8), []).tolist() == [[[1, 1, 1], [1, 1, 1]]]


def test_ties_go_to_the_background_then_to_the_earlier_object():
    probabilities = torch.tensor([[[0.4, 0.2]], [[0.4, 0.4]], [[0.2, 0.4]]])
    assert probabilities_to_ids(probabilities, [8, 3]).tolist() == [[0, 8]]


@pytest.mark.parametrize("objects", [[1, 1], [0], [256], [-1]])
def test_impossible_ids_are_refused_by_value(objects):
    with pytest.raises(MaskError, match=rf"distinct and in 1\.\.255, got \[{objects[0]}"):
        ids_to_probabilities(np.zeros((2, 2), np.uint8), objects)


def test_a_mask_of_three_dimensions_is_refused_with_its_shape():
    with pytest.raises(MaskError, match=r"\(H,W\) integers, got shape \(2, 2, 3\)"):
        ids_to_probabilities(np.zeros((2, 2, 3), np.uint8), [1])


def test_a_channel_too_many_is_refused_with_both_numbers():
    with pytest.raises(MaskError, match=r"Expected probabilities \(2,H,W\) for 1 objects, got \(3, 4, 5\)"):
        probabilities_to_ids(torch.zeros(3, 4, 5), [1])


def test_soft_aggregation_by_hand():
    # Background (1 - 0.9)(1 - 0.2) = 0.08; odds 0.08/0.92, 9, 0.25 share out the probability.
    merged = soft_aggregation(torch.tensor([0.9, 0.2]).view(2, 1, 1)).softmax(dim=0).flatten()
    odds = torch.tensor([0.08 / 0.92, 9.0, 0.25])
    torch.testing.assert_close(merged, odds / odds.sum())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_soft_aggregation_stays_finite_at_the_ends_in_every_dtype(dtype):
    logits = soft_aggregation(torch.tensor([0.0, 1.0], dtype=dtype).view(2, 1, 1))
    assert logits.isfinite().all()
    assert logits.dtype == (torch.float64 if dtype is torch.float64 else torch.float32)
    assert logits.softmax(dim=0)[2].item() == pytest.approx(1, abs=1e-5)


def test_soft_aggregation_of_absent_objects_changes_nothing():
    one = torch.rand(1, 3, 4)
    alone = soft_aggregation(one).softmax(dim=0)
    beside = soft_aggregation(torch.cat([one, torch.zeros(2, 3, 4)])).softmax(dim=0)
    torch.testing.assert_close(beside[:2], alone, atol=10 * EPSILON, rtol=0)


@settings(max_examples=30, deadline=None)
@given(arrays(np.bool_, (4, 5)), arrays(np.bool_, (4, 5)))
def test_jaccard_is_what_counting_gives(first, second):
    both = sum(a and b for a, b in zip(first.flat, second.flat, strict=True))
    either = sum(a or b for a, b in zip(first.flat, second.flat, strict=True))
    assert binary_iou(first, second) == (both / either if either else 1)
