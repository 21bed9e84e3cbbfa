"""Masks as few bytes."""

from __future__ import annotations

import numpy as np
import pytest

from cyclevos.pictures.packing import packed, unpacked


@pytest.mark.parametrize("turn", [lambda ids: ids, np.transpose, lambda ids: ids[::2, ::-1]])
def test_a_mask_comes_back_whole_and_may_be_changed(turn):
    ids = turn(np.random.default_rng(0).integers(0, 256, (30, 40), np.uint8))
    again = unpacked(packed(ids), ids.shape)
    np.testing.assert_array_equal(again, ids)
    again[0, 0] = 7


def test_a_mask_takes_a_hundredth_of_its_pixels():
    ids = np.zeros((480, 854), np.uint8)
    ids[100:300, 200:500] = 3
    assert len(packed(ids)) < ids.size / 100


def test_another_size_is_refused():
    with pytest.raises(ValueError, match="cannot reshape"):
        unpacked(packed(np.zeros((3, 4), np.uint8)), (4, 4))
