"""How much of a pixel is an object, by its probability or its id, and what is left of the picture around it."""

from __future__ import annotations

import numpy as np
import pytest
from clips import scene

from cyclevos.media.alpha import coverage, coverage_levels, cut_out
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import Frame


def result(probabilities=None, object_ids=None) -> FrameResult:
    ids = np.array([[0, 3, 3, 9]], np.uint8)
    return FrameResult(Frame(0, "a", np.full((1, 4, 3), 80, np.uint8)), ids, probabilities, object_ids)


def test_ids_alone_have_hard_edges():
    assert coverage(result()).tolist() == [[0, 1, 1, 1]]
    assert coverage_levels(result(), 3).tolist() == [[0, 255, 255, 0]]
    assert coverage_levels(result(), 4).tolist() == [[0, 0, 0, 0]]


def test_probabilities_are_the_edges():
    channels = np.array([[[0.75, 0.25, 0, 0]], [[0.25, 0.5, 1, 0.25]], [[0, 0.25, 0, 0.75]]], np.float32)
    soft = result(channels, [3, 9])
    assert coverage_levels(soft).tolist() == [[64, 191, 255, 255]]
    assert coverage_levels(soft, 3).tolist() == [[64, 128, 255, 64]]
    assert coverage_levels(soft, 9).tolist() == [[0, 64, 0, 191]]
    assert not coverage(soft, 4).any()
    with pytest.raises(ValueError, match="expected 2 object ids for 3 channels"):
        coverage(result(channels, [3]))


def test_a_cut_out_is_the_picture_where_it_shows_and_black_elsewhere():
    image = scene(1)[0]  # 48 x 64
    alpha = np.zeros((48, 64), np.uint8)
    alpha[20, 40], alpha[21, 40] = 255, 1
    exact = cut_out(image, alpha)
    np.testing.assert_array_equal(exact[..., 3], alpha)
    np.testing.assert_array_equal(exact[20:22, 40, :3], image[20:22, 40])
    assert not exact[..., :3][alpha == 0].any()


@pytest.mark.parametrize(("row", "column"), [(0, 0), (20, 40), (46, 62), (15, 16)])
def test_a_margin_keeps_sixteen_pixels_of_the_picture_around(row, column):
    image = np.full((47, 63, 3), 200, np.uint8)
    alpha = np.zeros((47, 63), np.uint8)
    alpha[row, column] = 255
    with_margin = cut_out(image, alpha, margin=True)
    rows, columns = np.mgrid[0:47, 0:63]
    near = (abs(rows - row) <= 16) & (abs(columns - column) <= 16)
    far = (abs(rows - row) > 31) | (abs(columns - column) > 31)
    assert (with_margin[near][:, :3] == 200).all()
    assert not with_margin[far].any()
    np.testing.assert_array_equal(with_margin[..., 3], alpha)
