"""Looks: what is cut from the picture comes back to its place, also over the edges."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclevos.prompts.boxes import bounds, joined
from cyclevos.prompts.looks import Look
from cyclevos.prompts.prompts import Box, Click

LOOKS = st.builds(Look, st.integers(-40, 60), st.integers(-40, 60), st.integers(8, 120))


def test_a_look_is_a_square_around_the_middle_of_a_box():
    assert Look.around(Box(10, 20, 30, 60), 1.5) == Look(-10, 10, 60)
    assert Look.whole((40, 60)) == Look(0, -10, 60)


def test_a_crop_of_its_own_size_is_the_picture_itself():
    image = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)
    np.testing.assert_array_equal(Look(10, 5, 32).crop(image, 32), image[5:37, 10:42])


def test_beyond_the_edges_a_crop_is_grey_and_labels_are_what_was_asked_for():
    image, labels = np.zeros((16, 16, 3), np.uint8), np.ones((16, 16), np.uint8)
    look = Look(-8, 0, 16)
    assert (look.crop(image, 16)[:, :8] == 127).all()
    assert (look.crop(image, 16)[:, 8:] == 0).all()
    assert (look.crop_labels(labels, 16, 255) == [255] * 8 + [1] * 8).all()


@settings(deadline=None)  # the first call of torch takes its time
@given(LOOKS, st.integers(1, 80), st.integers(1, 200))
def test_logits_become_probabilities_where_the_look_was(look, height, width):
    """Every pixel's centre is looked up by hand: between the centres of four cells, each weighted by nearness."""
    logits = np.random.default_rng(0).normal(0, 4, (16, 16)).astype(np.float32)
    whole = look.probabilities(logits, (height, width))
    places = np.arange(-60, 220)
    inside = [(places >= first) & (places < first + look.side) for first in (look.top, look.left)]
    cells = [np.clip((places - first + 0.5) * 16 / look.side - 0.5, 0, 15) for first in (look.top, look.left)]
    mixed = [np.maximum(0, 1 - np.abs(at[:, None] - np.arange(16))) for at in cells]  # (280,16), weights
    by_hand = 1 / (1 + np.exp(-(mixed[0] @ logits @ mixed[1].T)))
    by_hand[~(inside[0][:, None] & inside[1][None])] = 0
    np.testing.assert_allclose(whole, by_hand[60 : 60 + height, 60 : 60 + width], atol=1e-4)


@given(LOOKS, st.integers(0, 79), st.integers(0, 47))
def test_a_click_lies_on_the_same_pixel_of_the_look(look, column, row):
    """A white pixel of the picture is found where its click is drawn."""
    if not (look.left <= column < look.left + look.side and look.top <= row < look.top + look.side):
        return
    labels = np.zeros((48, 80), np.uint8)
    labels[row, column] = 1
    size = 4 * look.side
    (click,) = look.clicks([Click(column + 0.5, row + 0.5)], size)
    assert look.crop_labels(labels, size, 0)[click.pixel] == 1


@pytest.mark.parametrize("margin", [1.0, 1.4])
def test_a_box_in_a_look_covers_its_object(margin):
    mask = np.zeros((60, 90), np.uint8)
    mask[20:40, 30:70] = 1
    box = bounds(mask == 1)
    assert box == Box(30, 20, 70, 40)
    look = Look.around(box, margin)
    left, top, right, bottom = look.box(box, look.side)
    assert (bounds(look.crop_labels(mask, look.side, 0) == 1)) == (left, top, right, bottom)


def test_boxes_and_clicks_join_and_nothing_has_no_box():
    assert bounds(np.zeros((4, 4), bool)) is None
    assert joined(None, []) is None
    assert joined(Box(2, 2, 4, 4), [Click(0.5, 9.5)]) == Box(0, 2, 4, 10)
