"""Careless boxes: by hand, the same every time, and never without a pixel."""

import numpy as np
import pytest

from cyclevos.evaluation.drawn_boxes import DRAWS, drawn_boxes, moved_box
from cyclevos.prompts.prompts import Box

BOX = Box(10, 20, 30, 60)  # 20 wide, 40 high
SIZE = (100, 100)


def test_each_edge_moves_by_a_share_of_its_own_side():
    assert moved_box(BOX, 0.1, (-1, -1, 1, 1), SIZE) == Box(8, 16, 32, 64)
    assert moved_box(BOX, 0.1, (1, 1, -1, -1), SIZE) == Box(12, 24, 28, 56)
    assert moved_box(BOX, 0.2, (0, 0.5, 0, 0), SIZE) == Box(10, 24, 30, 60)


def test_a_box_ends_at_the_edges_of_the_picture():
    assert moved_box(Box(0, 1, 50, 99), 0.2, (-1, -1, 1, 1), (100, 55)) == Box(0, 0, 55, 100)


def test_a_box_keeps_a_pixel():
    """Of one pixel, both edges may move inwards; then they stay."""
    assert moved_box(Box(4, 4, 5, 5), 0.2, (1, 1, -1, -1), SIZE) == Box(4, 4, 5, 5)
    assert moved_box(Box(4, 4, 5, 9), 0.2, (1, 1, -1, -1), SIZE) == Box(4, 5, 5, 8)


def test_the_same_object_gets_the_same_boxes_and_another_one_others():
    boxes = drawn_boxes(BOX, 0.1, SIZE, "bear/00000/1")
    assert boxes == drawn_boxes(BOX, 0.1, SIZE, "bear/00000/1")
    assert boxes != drawn_boxes(BOX, 0.1, SIZE, "bear/00000/2")
    assert len(set(boxes)) == DRAWS
    assert drawn_boxes(BOX, 0.0, SIZE, "bear/00000/1") == [BOX]


def test_the_boxes_stay_what_they_are_from_release_to_release():
    """A change would make scores incomparable."""
    first = drawn_boxes(BOX, 0.1, SIZE, "bear/00000/1")[0]
    assert first == pytest.approx((11.716295, 21.958161, 30.851422, 58.802490), abs=1e-6)


def test_twice_the_slack_moves_twice_as_far():
    small, large = (np.array(drawn_boxes(BOX, slack, SIZE, "x")) - BOX for slack in (0.1, 0.2))
    np.testing.assert_allclose(large, 2 * small)


def test_moves_are_uniform_within_the_slack():
    moves = np.array([box for n in range(400) for box in drawn_boxes(BOX, 0.1, SIZE, str(n))]) - BOX
    shares = moves / (0.1 * np.array([20, 40, 20, 40]))
    assert (abs(shares) <= 1).all()
    np.testing.assert_allclose(shares.mean(axis=0), 0, atol=0.05)
    np.testing.assert_allclose((shares**2).mean(axis=0), 1 / 3, atol=0.03)
