"""Cycle-ERF: what it starts from, and whose maps come back."""

from __future__ import annotations

from copy import deepcopy

import numpy as np
import pytest
import torch

from cyclevos import cycle_erf
from cyclevos.cycle import cycle_loss
from cyclevos.errors import ConfigError, MaskError


@pytest.fixture
def ids(images) -> np.ndarray:
    mask = np.zeros(images[0].shape[:2], np.uint8)
    mask[6:16, 3:13] = 2
    mask[18:23, 20:36] = 7
    return mask


def test_one_step_is_the_gradient_at_an_empty_mask(lively_network, images, ids):
    network = deepcopy(lively_network).double()
    field = cycle_erf(network, images[3], images[0], ids, steps=1, rate=7.0, size=None)
    frames = [torch.from_numpy(image).permute(2, 0, 1)[None].double() / 255 for image in (images[3], images[0])]
    empty = torch.zeros(1, 3, *ids.shape, dtype=torch.float64, requires_grad=True)
    present = torch.ones(1, 2, dtype=torch.bool)
    memory = network.encode_memory(network.prepare_memory(frames[0]), empty, present)
    labels = torch.from_numpy(np.where(ids == 2, 1, np.where(ids == 7, 2, 0)))[None]
    loss = cycle_loss(network, memory, network.encode_query(frames[1]), labels, present).total
    (gradient,) = torch.autograd.grad(loss, empty)
    expected = (-7.0 * gradient).relu()[0, 1:]
    assert expected.max() > 0
    np.testing.assert_allclose(field, expected.numpy(), rtol=1e-3, atol=1e-5 * float(expected.max()))


def test_maps_are_at_the_sources_size_and_not_negative(lively_network, images, ids):
    field = cycle_erf(lively_network, images[3], images[0], ids, steps=3, size=20)
    assert field.shape == (2, *ids.shape)
    assert field.dtype == np.float32
    assert field.min() >= 0
    assert field.max() > 0


def test_bad_input_is_said_in_words(lively_network, images, ids):
    with pytest.raises(MaskError, match="of one size"):
        cycle_erf(lively_network, images[3], images[0], ids[:-1])
    with pytest.raises(MaskError, match=r"float64.*expected integers 0\.\.255"):
        cycle_erf(lively_network, images[3], images[0], ids / 1.0)
    with pytest.raises(MaskError, match=r"values 0\.\.263; expected integers 0\.\.255"):
        cycle_erf(lively_network, images[3], images[0], ids.astype(np.int64) + 256 * (ids == 7))
    with pytest.raises(MaskError, match="No mask shows an object"):
        cycle_erf(lively_network, images[3], images[0], ids * 0)
    with pytest.raises(ConfigError, match="at least 1"):
        cycle_erf(lively_network, images[3], images[0], ids, steps=0)
