"""The simulated user clicks in the middle of what is most wrong."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from cyclevos.prompts.next_click import next_click
from cyclevos.prompts.prompts import Click


def _masks(seed: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return blobs as truth, as the mask found and as the pixels that count."""
    generator = np.random.default_rng(seed)
    truth, found, counted = (
        ndimage.gaussian_filter(generator.standard_normal((40, 56)), sigma) > level
        for sigma, level in ((4, 0), (4, 0), (2, -0.15))
    )
    return truth, found, counted


def _slow_click(truth: NDArray[np.bool_], found: NDArray[np.bool_], counted: NDArray[np.bool_]) -> Click | None:
    """Measure from every wrong pixel to every pixel that is not wrong in the same way, beyond the edge too."""
    best, click = 0.0, None
    for positive, wrong in ((True, truth & ~found & counted), (False, found & ~truth & counted)):
        padded = np.pad(wrong, 1)
        outside = np.argwhere(~padded)
        for row, column in np.argwhere(padded):
            distance = float(np.sqrt(((outside - (row, column)) ** 2).sum(1).min()))
            if distance > best:
                best, click = distance, Click(column - 0.5, row - 0.5, positive)
    return click


def test_worked_by_hand() -> None:
    """A missing block of 3 x 3 has depth 2; the surplus block of 5 x 5 has depth 3 and wins."""
    truth, found = np.zeros((12, 14), bool), np.zeros((12, 14), bool)
    truth[1:4, 1:4] = True
    found[5:10, 7:12] = True
    assert next_click(truth, found) == Click(9.5, 7.5, positive=False)
    assert next_click(truth, np.zeros_like(found)) == Click(2.5, 2.5, positive=True)
    strip = truth | (found & (np.arange(14) < 9))  # two wide: each pixel touches the border, and the first is clicked
    assert next_click(truth, strip) == Click(7.5, 5.5, positive=False)


def test_edge_of_the_picture_is_a_border() -> None:
    """An object that fills the picture is clicked in the middle, not at an edge."""
    assert next_click(np.ones((5, 9), bool), np.zeros((5, 9), bool)) == Click(2.5, 2.5, positive=True)


def test_missing_goes_before_surplus_and_first_goes_first() -> None:
    truth, found = np.zeros((6, 6), bool), np.zeros((6, 6), bool)
    found[0, 0] = truth[3, 3] = truth[4, 1] = True
    assert next_click(truth, found) == Click(3.5, 3.5, positive=True)


@pytest.mark.parametrize("seed", range(8))
def test_agrees_with_the_slow_search(seed: int) -> None:
    truth, found, counted = _masks(seed)
    assert next_click(truth, found, counted) == _slow_click(truth, found, counted)


@pytest.mark.parametrize("seed", range(8))
def test_lies_in_a_wrong_pixel_with_the_right_sign(seed: int) -> None:
    truth, found, counted = _masks(seed)
    click = next_click(truth, found, counted)
    assert click is not None
    assert counted[click.pixel]
    assert truth[click.pixel] == click.positive
    assert found[click.pixel] != click.positive


def test_turns_with_the_picture() -> None:
    """A triangle has one deepest pixel, so flips and turns of the picture move the click along."""
    truth = np.zeros((40, 50), bool)
    for row in range(5, 30):
        truth[row, 8 : 8 + row] = True
    empty = np.zeros_like(truth)
    click = next_click(truth, empty)
    assert click is not None
    assert (_depths(truth) == _depths(truth).max()).sum() == 1
    assert next_click(truth[:, ::-1], empty) == Click(50 - click.x, click.y, positive=True)
    assert next_click(truth[::-1], empty) == Click(click.x, 40 - click.y, positive=True)
    assert next_click(truth.T, empty.T) == Click(click.y, click.x, positive=True)


def test_exchanged_masks_exchange_the_sign() -> None:
    truth = np.zeros((20, 20), bool)
    truth[4:15, 3:14] = True
    empty = np.zeros_like(truth)
    assert next_click(truth, empty) == Click(8.5, 9.5, positive=True)
    assert next_click(empty, truth) == Click(8.5, 9.5, positive=False)


def test_no_click_where_nothing_is_wrong() -> None:
    truth, found, _ = _masks(3)
    assert next_click(truth, truth) is None
    assert next_click(truth, found, truth == found) is None


def _depths(error: NDArray[np.bool_]) -> NDArray[np.float64]:
    depths: NDArray[np.float64] = ndimage.distance_transform_edt(np.pad(error, 1))
    return depths
