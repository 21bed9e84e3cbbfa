from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cyclevos.exchange.contents import outlines as outlines_module
from cyclevos.exchange.contents.outlines import outline, outlines
from cyclevos.exchange.contents.run_length import from_polygons


def drawn(mask):
    rings = [[value for point in ring for value in point] for ring in outlines(mask)]
    return from_polygons(rings, mask.shape, "test")


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 12), st.integers(1, 12))))
def test_pycocotools_draws_the_same_pixels_again(mask):
    np.testing.assert_array_equal(drawn(mask), mask)


@settings(max_examples=60, deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 30), st.integers(1, 30))))
def test_pycocotools_draws_the_same_pixels_from_one_outline_of_all_pieces(mask):
    ring = [value for point in outline(mask) for value in point]
    np.testing.assert_array_equal(from_polygons([ring] if ring else [], mask.shape, "test"), mask)


@pytest.mark.parametrize(
    ("rows", "count"),
    [
        (["....", ".##.", ".##.", "...."], 1),
        (["#...", ".#..", "..#.", "...#"], 4),  # pieces that touch at corners
        (["#####", "#...#", "#.#.#", "#...#", "#####"], 2),  # a piece in a hole
        (["###", "#.#", "##."], 1),  # a hole that opens at a corner
    ],
)
def test_every_piece_has_one_outline(rows, count):
    mask = np.array([[letter == "#" for letter in row] for row in rows])
    found = outlines(mask)
    assert len(found) == count
    np.testing.assert_array_equal(drawn(mask), mask)


def test_straight_sides_have_no_corners_between_their_ends():
    mask = np.zeros((90, 200), np.bool_)
    mask[10:80, 20:190] = True
    assert outlines(mask) == [[(20, 10), (190, 10), (190, 80), (20, 80)]]


def test_one_outline_of_very_many_pieces_and_holes_draws_the_same_pixels_without_a_search_for_each(monkeypatch):
    mask = np.random.default_rng(0).random((200, 300)) < 0.5
    corners_searched = []
    search = outlines_module._join_nearest

    def counted(ring, other):
        corners_searched.append(len(ring))
        search(ring, other)

    monkeypatch.setattr(outlines_module, "_join_nearest", counted)
    ring = [value for point in outline(mask) for value in point]
    np.testing.assert_array_equal(from_polygons([ring], mask.shape, "test"), mask)
    assert sum(corners_searched) < mask.size  # each of thousands of pieces, in tens of thousands of corners, else
