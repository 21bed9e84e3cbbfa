"""Islands against hand-worked values and a slow, obvious version."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclevos.evaluation.islands import has_island
from cyclevos.pieces import numbered_pieces


def slow_island(prediction: np.ndarray, truth: np.ndarray) -> bool:
    """Every pixel of every piece against every true pixel."""
    labels = numbered_pieces(prediction)
    true = np.argwhere(truth)
    for piece in range(1, labels.max() + 1):
        pixels = np.argwhere(labels == piece)
        distances = np.hypot(*(pixels[:, None] - true[None]).transpose(2, 0, 1))
        if len(pixels) >= 50 and (distances > 16).all():
            return True
    return False


def masks(*, side: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A true square of 10 x 10 in the upper left corner, and the prediction of it."""
    truth = np.zeros((side, side), dtype=bool)
    truth[:10, :10] = True
    return truth.copy(), truth


@pytest.mark.parametrize(
    ("rows", "columns", "island"),
    [
        ((0, 5), (26, 36), True),  # 50 pixels, 17 from column 9
        ((0, 5), (25, 35), False),  # 16 pixels away
        ((0, 7), (26, 33), False),  # 49 pixels
        ((21, 31), (21, 31), True),  # 12 and 12 pixels diagonally: 16.97 away
        ((20, 30), (20, 30), False),  # 11 and 11: 15.56 away
    ],
)
def test_size_and_distance_by_hand(rows, columns, island):
    prediction, truth = masks()
    prediction[slice(*rows), slice(*columns)] = True
    assert has_island(prediction, truth) is island


def test_a_piece_may_hang_together_at_corners():
    prediction, truth = masks()
    prediction[30:35, 30:35] = prediction[35:40, 35:40] = True  # 25 pixels each
    assert has_island(prediction, truth)
    prediction[34, 34] = False
    prediction[35, 34] = prediction[34, 35] = False
    assert not has_island(prediction, truth)


def test_an_arm_that_reaches_the_object_is_no_island():
    prediction, truth = masks()
    prediction[5, 10:40] = prediction[5:25, 30:40] = True
    assert not has_island(prediction, truth)
    prediction[5, 12] = False  # the arm is cut, and its end lies 4 pixels from the truth
    assert not has_island(prediction, truth)


def test_without_anything_true_every_large_piece_is_an_island():
    prediction, truth = masks()
    assert has_island(prediction, np.zeros_like(truth))
    assert not has_island(np.zeros_like(truth), truth)
    assert not has_island(np.zeros_like(truth), np.zeros_like(truth))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 40)] * 2, *[st.integers(1, 14)] * 2, st.booleans()), max_size=5))
def test_against_the_slow_version(boxes):
    prediction, truth = (np.zeros((44, 52), dtype=bool) for _ in range(2))
    for y, x, height, width, true in boxes:
        (truth if true else prediction)[y : y + height, x : x + width] = True
    assert has_island(prediction, truth) == slow_island(prediction, truth)
