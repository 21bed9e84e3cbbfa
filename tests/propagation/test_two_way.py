"""Merging both directions: shares by distance, and sums that stay 1."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cyclevos.propagation.prediction import Prediction
from cyclevos.propagation.two_way import BackwardPass


def prediction(index, objects, foreground, reliability):
    probabilities = torch.cat([1 - foreground.sum(dim=0, keepdim=True), foreground])
    ids = np.zeros(foreground.shape[1:], np.uint8)
    return Prediction(index, objects, probabilities, ids, reliability=reliability)


def mask(i):
    return np.full((1, 2), i, np.uint8)


def test_reliability_is_weighted_as_the_masks_are(tmp_path):
    kept = BackwardPass(tmp_path, {0: mask(1), 8: mask(1)})
    kept.keep(prediction(2, (1,), torch.tensor([[[1.0, 0.0]]]), {1: 0.2}))
    merged = kept.merge(prediction(2, (1,), torch.tensor([[[0.0, 1.0]]]), {1: 1.0}))
    torch.testing.assert_close(merged.probabilities[1], torch.tensor([[0.25, 0.75]]))
    assert merged.reliability == {1: pytest.approx(0.75 * 1.0 + 0.25 * 0.2)}


def test_objects_that_claim_the_same_pixels_share_them(tmp_path):
    kept = BackwardPass(tmp_path, {0: mask(1), 8: mask(2)})
    kept.keep(prediction(2, (2,), torch.tensor([[[1.0, 0.0]]]), {2: 0.5}))
    merged = kept.merge(prediction(2, (1,), torch.tensor([[[1.0, 0.4]]]), {1: 0.9}))
    assert merged.object_ids == (1, 2)
    torch.testing.assert_close(merged.probabilities[:, 0], torch.tensor([[0.0, 0.6], [0.5, 0.4], [0.5, 0.0]]))
    assert merged.reliability == {1: 0.9, 2: 0.5}
