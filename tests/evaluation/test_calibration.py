"""What is said of predicted scores, against slower ways to count it."""

import numpy as np
import pytest

from cyclevos.evaluation.calibration import calibrate


@pytest.fixture
def masks():
    rng = np.random.default_rng(0)
    truth = rng.random(200).round(2)
    return (truth + rng.normal(0, 0.3, 200)).round(2), truth, rng.integers(0, 4, 200)


def test_the_area_is_the_share_of_pairs_in_the_right_order(masks):
    predicted, truth, groups = masks
    good, failed = predicted[truth >= 0.5], predicted[truth < 0.5]
    pairs = [(a > b) + 0.5 * (a == b) for a in good for b in failed]
    assert calibrate(predicted, truth, groups).auroc == pytest.approx(np.mean(pairs))


def test_groups_are_ranked_by_themselves():
    # Each group is in order, but the group with the higher predictions has the lower truth.
    predicted = np.array([0.1, 0.2, 0.3, 0.7, 0.8, 0.9])
    truth = np.array([0.7, 0.8, 0.9, 0.1, 0.2, 0.3])
    found = calibrate(predicted, truth, np.array(["a", "a", "a", "b", "b", "b"]))
    assert found.spearman_within == pytest.approx(1)
    assert found.spearman < 0
    assert found.auroc == 0
    assert found.mean_error == pytest.approx(0.6)


@pytest.mark.parametrize("constant", ["predicted", "truth"])
def test_what_is_not_defined_is_none(masks, constant):
    predicted, truth, groups = masks
    same = np.full(200, 0.75)
    found = calibrate(same if constant == "predicted" else predicted, same if constant == "truth" else truth, groups)
    assert (found.spearman, found.spearman_within) == (None, None)
    assert found.auroc == (0.5 if constant == "predicted" else None)
    with pytest.raises(ValueError, match="at least one; got 0, 0, 0"):
        calibrate(np.zeros(0), np.zeros(0), np.zeros(0))
