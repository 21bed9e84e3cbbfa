"""Poor masks: poor in the way they are named after."""

from __future__ import annotations

import numpy as np
import pytest

from cyclevos.analysis.perturbations import PERTURBATIONS
from cyclevos.masks import binary_iou


@pytest.fixture
def ids() -> np.ndarray:
    """A disc of object 4 and a smaller one of object 9, apart."""
    rows, columns = np.mgrid[0:80, 0:120]
    mask = np.zeros((80, 120), np.uint8)
    mask[(rows - 40) ** 2 + (columns - 40) ** 2 < 20**2] = 4
    mask[(rows - 30) ** 2 + (columns - 95) ** 2 < 10**2] = 9
    return mask


def perturb(kind, ids, seed=0):
    return PERTURBATIONS[kind](ids, np.random.default_rng(seed))


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_masks_get_worse_but_stay_recognisable(kind, ids):
    original = ids.copy()
    worse = perturb(kind, ids)
    assert worse.dtype == np.uint8
    assert set(np.unique(worse)) == {0, 4, 9}
    for i in (4, 9):
        assert 0.4 < binary_iou(worse == i, ids == i) < 0.95
    np.testing.assert_array_equal(ids, original)
    np.testing.assert_array_equal(perturb(kind, ids), worse)


def test_box_is_tight(ids):
    boxed = perturb("box", ids)
    rows, columns = np.nonzero(ids == 9)
    assert (boxed == 9).sum() == (np.ptp(rows) + 1) * (np.ptp(columns) + 1)
    inner = np.full((10, 10), 1, np.uint8)
    inner[3:5, 3:5] = 2
    assert (perturb("box", inner) == 2).sum() == 4, "a large box does not hide a small object"


def test_margins_go_inside_and_outside(ids):
    eroded, dilated = perturb("eroded", ids), perturb("dilated", ids)
    assert ((eroded > 0) <= (ids == eroded)).all()
    assert (dilated[ids > 0] == ids[ids > 0]).all()
    assert (eroded == 4).sum() < (ids == 4).sum() < (dilated == 4).sum()


def test_shifted_is_moved_as_a_whole(ids):
    assert (perturb("shifted", ids) == 9).sum() == (ids == 9).sum()


@pytest.mark.parametrize("kind", PERTURBATIONS)
def test_nothing_one_pixel_and_everything(kind):
    assert not perturb(kind, np.zeros((6, 7), np.uint8)).any()
    dot = np.zeros((6, 7), np.uint8)
    dot[3, 3] = 2
    assert (perturb(kind, dot) == 2).any()
    full = np.full((6, 7), 3, np.uint8)
    assert (perturb(kind, full) == 3).any()
