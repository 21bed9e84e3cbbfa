"""Finished edges against masks worked out by hand or by slow, obvious rules; islands; the guided filter."""

from __future__ import annotations

import numpy as np
import pytest

from cyclevos.app.projects.islands import islands
from cyclevos.app.work.guided_filter import guided_filter
from cyclevos.app.work.mask_edits import finished, piece_at


@pytest.fixture
def ids() -> np.ndarray:
    """Two objects side by side, an island of the first, and a hole in the second."""
    mask = np.zeros((30, 60), np.uint8)
    mask[5:20, 5:20] = 1
    mask[5:20, 22:40] = 2
    mask[10:12, 30:32] = 0
    mask[24:28, 50:54] = 1
    return mask


def within(mask: np.ndarray, distance: float) -> np.ndarray:
    """Pixels whose distance to a mask is at most this: every pair is looked at."""
    there = np.argwhere(mask)
    rows, columns = np.mgrid[0 : mask.shape[0], 0 : mask.shape[1]]
    away = np.hypot(rows[..., None] - there[:, 0], columns[..., None] - there[:, 1]).min(axis=-1)
    return away <= distance


def test_growing_takes_the_background_alone_and_nearest_first(ids):
    grown = finished(ids, "grow", 4, [1])
    assert np.array_equal(grown == 1, (ids == 1) | (within(ids == 1, 4) & (ids == 0)))
    assert np.array_equal(grown == 2, ids == 2)
    both = finished(ids, "grow", 4, [1, 2])
    assert both[10, 20] == 1  # the gap between the two is shared
    assert both[10, 21] == 2
    assert not ids[10, 20]


def test_shrinking_leaves_what_is_far_from_the_edge_and_the_frame_is_no_edge(ids):
    shrunk = finished(ids, "shrink", 2, [1])
    assert np.array_equal(shrunk == 1, (ids == 1) & ~within(ids != 1, 2))
    assert np.array_equal(shrunk == 2, ids == 2)
    ids[:, :20] = 1
    at_the_border = finished(ids, "shrink", 2, [1]) == 1
    assert at_the_border[:, :18].all()
    assert not at_the_border[:, 18:20].any()
    assert np.array_equal(finished(np.ones_like(ids), "shrink", 2, [1]), np.ones_like(ids))


def test_smoothing_rounds_corners_and_removes_a_thorn_but_keeps_the_size(ids):
    ids[12, 0:5] = 1
    ids[24:28, 50:54] = 0
    smooth = finished(ids, "smooth", 2, [1])
    assert not smooth[12, 0:3].any()
    assert not smooth[5, 5]
    assert 0 <= (ids == 1).sum() - (smooth == 1).sum() < 60
    assert np.array_equal(smooth == 2, ids == 2)


def test_holes_are_filled_but_what_is_in_them_stays(ids):
    ids[10, 30] = 3
    filled = finished(ids, "fill", 0, [2])
    assert (filled[10:12, 30:32] == [[3, 2], [2, 2]]).all()
    assert np.array_equal(finished(ids, "fill", 0, [1]), ids)


def test_small_pieces_and_those_away_are_dropped_and_the_largest_always_stays(ids):
    assert not (finished(ids, "small", 17, [1])[24:28, 50:54]).any()
    assert (finished(ids, "small", 16, [1])[24:28, 50:54] == 1).all()
    assert (finished(ids, "small", 10_000, [1])[5:20, 5:20] == 1).all()
    gap = np.hypot(24 - 19, 50 - 19)
    assert (finished(ids, "away", 32, [1])[24:28, 50:54] == 1).all()
    assert gap < 32
    assert not (finished(ids, "away", 31, [1])[24:28, 50:54]).any()


def test_an_object_that_is_not_chosen_or_not_there_is_left_as_it_is(ids):
    before = ids.copy()
    for how in ("grow", "shrink", "smooth", "fill", "small", "away"):
        assert np.array_equal(finished(ids, how, 3, [9]), before)
    assert np.array_equal(ids, before)


def test_snapping_moves_the_edge_to_the_pictures_edge():
    image = np.full((60, 70, 3), 30, np.uint8)
    image[10:50, 20:60] = [200, 120, 90]
    truth = (image[..., 0] > 100).astype(np.uint8)
    for near in (np.pad(truth, 2)[2:-2, :-4] | truth, within(truth, 2), ~within(truth == 0, 2)):
        snapped = finished(near.astype(np.uint8), "snap", 3, [1], image)
        assert (snapped != truth).sum() < 0.15 * (near != truth).sum()
    flat = np.full_like(image, 90)
    assert (finished(truth, "snap", 5, [1], flat) != truth).sum() < 40  # only the corners, as smoothing does


def test_the_guided_filter_equals_the_equations_solved_window_by_window():
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (7, 8, 3)).astype(np.uint8)
    mask = random.random((7, 8)).astype(np.float32)
    guide, radius, epsilon = image / 255.0, 1, 1e-3
    a, b = np.zeros((7, 8, 3)), np.zeros((7, 8))

    def window(array: np.ndarray, row: int, column: int) -> np.ndarray:
        padded = np.pad(array, [(1, 1), (1, 1)] + [(0, 0)] * (array.ndim - 2), mode="edge")
        return padded[row : row + 3, column : column + 3].reshape(9, *array.shape[2:])

    for row in range(7):
        for column in range(8):
            colours, values = window(guide, row, column), window(mask, row, column)
            spread = np.cov(colours.T, bias=True) + epsilon * np.eye(3)
            together = ((colours - colours.mean(0)) * (values - values.mean())[:, None]).mean(0)
            a[row, column] = np.linalg.solve(spread, together)
            b[row, column] = values.mean() - a[row, column] @ colours.mean(0)
    wanted = [
        [window(a, row, column).mean(0) @ guide[row, column] + window(b, row, column).mean() for column in range(8)]
        for row in range(7)
    ]
    assert np.allclose(guided_filter(image, mask, radius, epsilon), wanted, atol=2e-3)


def test_a_piece_is_what_hangs_together_by_sides_and_corners(ids):
    ids[20, 20] = 1
    piece = piece_at(ids, 6, 6)
    assert piece[20, 20]
    assert piece.sum() == 15 * 15 + 1
    assert not piece_at(ids, 0, 0).any()


def test_islands_are_pieces_far_from_the_largest_one_at_every_size(ids):
    assert islands(ids) == {1: 16}
    ids[24:28, 50:54] = 0
    ids[21:23, 5:20] = 1  # near: not an island
    assert islands(ids) == {}
    large = np.zeros((1080, 1920), np.uint8)
    large[100:400, 100:400] = 4
    large[800:830, 1500:1530] = 4
    large[5:8, 1900:1903] = 4  # too small to count
    assert islands(large).keys() == {4}
    assert 700 <= islands(large)[4] <= 1100  # of 900
