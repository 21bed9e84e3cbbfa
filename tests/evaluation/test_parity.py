"""J and F of every frame against vos-benchmark, an independent evaluator of the same protocol."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclevos.evaluation.measures import boundary_f_measure, region_similarity

# Without OpenCV and scikit-image the package is there but its evaluator is not.
evaluator = pytest.importorskip("vos_benchmark.evaluator", exc_type=ImportError)

TRUTH = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "DAVIS-2016" / "Annotations" / "480p"


def compare(prediction: np.ndarray, truth: np.ndarray) -> float:
    """Largest difference of any object's J or F between the two evaluators."""
    theirs = evaluator.Evaluator()
    theirs.feed_frame(prediction, truth)
    differences = []
    for object_id, values in theirs.object_iou.items():
        pair = prediction == object_id, truth == object_id
        differences.append(abs(values[0] - region_similarity(*pair)))
        differences.append(abs(theirs.boundary_f[object_id][0] - boundary_f_measure(*pair)))
    return max(differences)


@pytest.mark.parametrize("shift", [0, 1, 3, 30])
def test_drawn_objects(shift, draw_objects):
    assert compare(draw_objects([1, 5, 9], shift // 3), draw_objects([1, 5], shift)) < 1e-9


@pytest.mark.skipif(not TRUTH.is_dir(), reason="needs shared/data/DAVIS-2016")
@pytest.mark.parametrize("sequence", ["bmx-trees", "camel", "car-shadow"])
def test_real_masks_against_a_later_frame(sequence):
    paths = sorted((TRUTH / sequence).glob("*.png"))
    masks = [np.asarray(Image.open(path)) for path in paths[::12]]
    assert max(compare(later, mask) for mask, later in pairwise(masks)) < 1e-9
