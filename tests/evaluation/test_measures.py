"""J, F and their statistics against hand-worked values and slow, obvious versions."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cyclevos.evaluation.measures import (
    boundary_f_measure,
    boundary_map,
    boundary_tolerance,
    dilate_by_disk,
    region_similarity,
    statistics,
)


@st.composite
def mask_pairs(draw, limit: int = 14):
    shape = draw(st.tuples(st.integers(1, limit), st.integers(1, limit)))
    return tuple(draw(arrays(bool, shape, elements=st.booleans(), fill=st.booleans())) for _ in range(2))


def slow_boundary(mask: np.ndarray) -> np.ndarray:
    height, width = mask.shape
    boundary = np.zeros_like(mask)
    for y in range(height):
        for x in range(width):
            bottom, right = y == height - 1, x == width - 1
            if bottom and right:
                continue
            if bottom:
                boundary[y, x] = mask[y, x] != mask[y, x + 1]
            elif right:
                boundary[y, x] = mask[y, x] != mask[y + 1, x]
            else:
                neighbours = mask[y, x + 1], mask[y + 1, x], mask[y + 1, x + 1]
                boundary[y, x] = any(neighbour != mask[y, x] for neighbour in neighbours)
    return boundary


def slow_dilation(mask: np.ndarray, radius: int) -> np.ndarray:
    points = np.argwhere(mask)
    dilated = np.zeros_like(mask)
    for y, x in np.ndindex(mask.shape):
        dilated[y, x] = any((y - py) ** 2 + (x - px) ** 2 <= radius**2 for py, px in points)
    return dilated


def slow_f_measure(prediction: np.ndarray, truth: np.ndarray, tolerance: int) -> float:
    found, wanted = slow_boundary(prediction), slow_boundary(truth)
    if found.sum() == 0 and wanted.sum() == 0:
        precision, recall = 1.0, 1.0
    elif found.sum() == 0:
        precision, recall = 1.0, 0.0
    elif wanted.sum() == 0:
        precision, recall = 0.0, 1.0
    else:
        precision = (found & slow_dilation(wanted, tolerance)).sum() / found.sum()
        recall = (wanted & slow_dilation(found, tolerance)).sum() / wanted.sum()
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def square(top: int, left: int, side: int, shape: tuple[int, int] = (20, 20)) -> np.ndarray:
    mask = np.zeros(shape, dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_region_similarity_worked_by_hand():
    # Two 4x4 squares overlapping in 2x4 pixels: 8 of 24.
    assert region_similarity(square(2, 2, 4), square(4, 2, 4)) == 8 / 24
    assert region_similarity(square(2, 2, 4), square(2, 2, 4)) == 1.0
    assert region_similarity(square(2, 2, 4), square(12, 2, 4)) == 0.0


def test_empty_masks():
    empty, some = np.zeros((20, 20), dtype=bool), square(5, 5, 3)
    assert region_similarity(empty, empty) == 1.0
    assert boundary_f_measure(empty, empty) == 1.0
    for measure in (region_similarity, boundary_f_measure):
        assert measure(empty, some) == 0.0
        assert measure(some, empty) == 0.0


def test_a_mask_over_the_whole_image_has_no_boundary():
    full, empty = np.ones((6, 6), dtype=bool), np.zeros((6, 6), dtype=bool)
    assert not boundary_map(full).any()
    assert boundary_f_measure(full, empty) == 1.0
    assert boundary_f_measure(full, square(2, 2, 2, (6, 6))) == 0.0


def test_boundary_f_measure_worked_by_hand():
    # A half plane's boundary is one full column; three columns apart it is met from tolerance 3 on.
    left, right = np.zeros((10, 20), dtype=bool), np.zeros((10, 20), dtype=bool)
    left[:, :8], right[:, :11] = True, True
    assert boundary_f_measure(left, right, 2) == 0.0
    assert boundary_f_measure(left, right, 3) == 1.0
    # The truth has a second, far boundary: all that was found is right, half of it was missed.
    right[:, 17:] = True
    assert boundary_f_measure(left, right, 3) == pytest.approx(2 * 1 * 0.5 / 1.5)


def test_distance_is_euclidean():
    # Single pixels have 2x2 boundaries; 3 across and 4 down are 5 apart.
    first, second = square(4, 4, 1), square(8, 7, 1)
    assert boundary_f_measure(first, second, 5) == 1.0
    assert 0.0 < boundary_f_measure(first, second, 4) < 1.0


@pytest.mark.parametrize(("height", "width", "pixels"), [(480, 854, 8), (240, 427, 4), (1080, 1920, 18), (1, 1, 1)])
def test_tolerance_is_a_share_of_the_diagonal(height, width, pixels):
    assert boundary_tolerance(height, width) == pixels


def test_default_tolerance_follows_the_image_not_the_object():
    shape = (480, 854)
    first = square(100, 100, 60, shape)
    assert boundary_f_measure(first, np.roll(first, 8, axis=1)) == 1.0
    assert boundary_f_measure(first, np.roll(first, 9, axis=1)) < 1.0


@pytest.mark.parametrize("measure", [region_similarity, boundary_f_measure])
def test_errors_say_what_came(measure):
    with pytest.raises(ValueError, match=r"expected two masks of one size.*\(4, 5\).*\(5, 4\)"):
        measure(np.zeros((4, 5)), np.zeros((5, 4)))
    with pytest.raises(ValueError, match=r"\(H, W\), got prediction \(4,\)"):
        measure(np.zeros(4), np.zeros(4))


def test_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="0 or more pixels, got -1"):
        boundary_f_measure(square(1, 1, 2), square(1, 1, 2), -1)


def test_inputs_are_left_as_they_are():
    prediction, truth = square(3, 3, 5), square(4, 4, 5)
    copies = prediction.copy(), truth.copy()
    boundary_f_measure(prediction, truth)
    region_similarity(prediction, truth)
    assert np.array_equal(prediction, copies[0])
    assert np.array_equal(truth, copies[1])


@settings(max_examples=60, deadline=None)
@given(mask_pairs(), st.integers(0, 6))
def test_measures_agree_with_the_slow_ones(pair, tolerance):
    prediction, truth = pair
    assert boundary_f_measure(prediction, truth, tolerance) == slow_f_measure(prediction, truth, tolerance)
    union = sum(bool(p or t) for p, t in zip(prediction.flat, truth.flat, strict=True))
    both = sum(bool(p and t) for p, t in zip(prediction.flat, truth.flat, strict=True))
    assert region_similarity(prediction, truth) == (both / union if union else 1.0)


@settings(max_examples=60, deadline=None)
@given(mask_pairs(), st.integers(0, 9))
def test_parts_agree_with_the_slow_ones(pair, radius):
    assert np.array_equal(boundary_map(pair[0]), slow_boundary(pair[0]))
    assert np.array_equal(dilate_by_disk(pair[0], radius), slow_dilation(pair[0], radius))


@settings(max_examples=60, deadline=None)
@given(mask_pairs(), st.integers(0, 4))
def test_swapping_the_masks_changes_nothing_and_agreement_is_perfect(pair, tolerance):
    prediction, truth = pair
    assert region_similarity(prediction, truth) == region_similarity(truth, prediction)
    forth = boundary_f_measure(prediction, truth, tolerance)
    assert forth == pytest.approx(boundary_f_measure(truth, prediction, tolerance))
    assert 0.0 <= forth <= boundary_f_measure(prediction, truth, tolerance + 1) <= 1.0
    assert boundary_f_measure(truth, truth, tolerance) == region_similarity(truth, truth) == 1.0


def test_statistics_worked_by_hand():
    # Eight frames: quarters are cut at 0, 2, 3 (3.5 rounds to even 4), 5, 7 and share their edges.
    values = [1.0, 0.9, 0.8, 0.6, 0.5, 0.4, 0.2, 0.0]
    result = statistics(values)
    assert result.mean == pytest.approx(0.55)
    assert result.recall == 4 / 8
    assert result.decay == pytest.approx((1.0 + 0.9 + 0.8) / 3 - (0.4 + 0.2 + 0.0) / 3)


@pytest.mark.parametrize("count", [*range(1, 30), 104, 255])
def test_quarters_are_cut_as_davis_cuts_them(count):
    values = np.random.default_rng(count).random(count)
    cuts = (np.round(np.linspace(1, count, 5) + 1e-10) - 1).astype(np.uint8)
    quarters = [values[cuts[index] : cuts[index + 1] + 1] for index in range(4)]
    assert statistics(values).decay == pytest.approx(np.mean(quarters[0]) - np.mean(quarters[3]))


def test_a_constant_has_no_decay_in_videos_of_any_length():
    assert statistics([0.7]) == (0.7, 1.0, 0.0)
    assert statistics([0.5] * 1000).decay == 0.0


def test_frames_without_a_value():
    result = statistics([math.nan, 1.0, 0.4, 0.4])
    assert result.mean == pytest.approx(0.6)
    assert result.recall == 1 / 4
    assert result.decay == pytest.approx(1.0 - 0.4)
    unknown = statistics([math.nan, math.nan])
    assert math.isnan(unknown.mean)
    assert unknown.recall == 0.0


def test_statistics_of_nothing():
    with pytest.raises(ValueError, match="at least one frame, got none"):
        statistics([])
