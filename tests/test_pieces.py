"""Pieces of a mask, their sizes and distances, by hand."""

import numpy as np
import pytest

from cyclevos.pieces import far_pieces, pieces_of


def test_sizes_and_distances_by_hand():
    mask = np.zeros((30, 60), bool)
    mask[2:12, 2:12] = True
    mask[12, 12] = True  # hangs on by a corner
    mask[2, 21:23] = mask[15, 16] = True  # 10 to the right; 4 and 3 from the corner
    pieces = pieces_of(mask)
    assert sorted(pieces.sizes.tolist()) == [0, 1, 2, 101]
    of = {int(size): float(distance) for size, distance in zip(pieces.sizes, pieces.distances, strict=True)}
    assert of == {0: 0.0, 101: 0.0, 2: 10.0, 1: 5.0}
    assert pieces.labels[12, 12] == pieces.labels[2, 2]


def test_one_piece_is_no_distance_away():
    assert pieces_of(np.ones((3, 4), bool)).distances.tolist() == [0, 0]
    assert pieces_of(np.zeros((3, 4), bool)).sizes.tolist() == [0]


def test_large_masks_are_measured_on_a_coarser_grid():
    mask = np.zeros((480, 960), bool)
    mask[100:200, 100:200] = mask[100:110, 500:510] = True
    assert pieces_of(mask).distances.max() == pytest.approx(301, abs=6)


def test_far_pieces_by_hand_the_largest_first():
    mask = np.zeros((120, 200), bool)  # specks have fewer than 2.4 pixels, and far is more than 5
    mask[10:40, 10:40] = True
    mask[10:14, 44:48] = True  # 5 away: near
    mask[60:63, 100] = True  # 3 pixels
    mask[100:104, 150:155] = True  # 20 pixels
    mask[110, 20:22] = True  # a speck
    pieces = pieces_of(mask)
    assert pieces.sizes[far_pieces(pieces)].tolist() == [20, 3]
    assert far_pieces(pieces_of(np.zeros((3, 4), bool))).tolist() == []
