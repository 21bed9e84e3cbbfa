"""J between results, with frames and objects that only some of them have."""

import numpy as np
import pytest

from cyclevos.errors import DatasetError
from cyclevos.evaluation.agreement import object_agreement
from cyclevos.evaluation.measures import region_similarity


@pytest.fixture
def result(tmp_path, write_mask):
    """`result(name, masks)` writes a mask per frame, None leaving a frame out."""

    def write(name, masks):
        files = {f"{index:05d}": tmp_path / name / f"{index:05d}.png" for index in range(len(masks))}
        for (frame, path), ids in zip(list(files.items()), masks, strict=True):
            if ids is None:
                del files[frame]
            else:
                write_mask(path, ids)
        return files

    return write


def test_objects_are_compared_one_by_one(result, draw_objects):
    first = result("first", [draw_objects([2, 7])] * 4)
    # 6 of 12 columns overlap in one frame: J = 6/18; object 7 is missed in one frame.
    second = result("second", [draw_objects([2, 7]), draw_objects([2, 7], 6), draw_objects([2]), draw_objects([2, 7])])
    found = object_agreement([first, second])
    assert list(found) == [2, 7]
    assert found[2] == pytest.approx(np.array([[1, (3 + 1 / 3) / 4], [(3 + 1 / 3) / 4, 1]]))
    assert found[7][0, 1] == pytest.approx((2 + 1 / 3) / 4)


def test_an_object_that_neither_shows_in_a_frame_agrees_there(result, draw_objects):
    one = result("one", [draw_objects([1]), draw_objects([])])
    other = result("other", [draw_objects([]), draw_objects([])])
    assert object_agreement([one, other])[1][0, 1] == pytest.approx(0.5)


def test_only_frames_that_both_have_count(result, draw_objects):
    mask = draw_objects([1])
    short = result("short", [mask, None, None])
    late = result("late", [None, mask, draw_objects([1], 12)])
    whole = result("whole", [mask] * 3)
    found = object_agreement([short, late, whole])[1]
    assert np.isnan(found[0, 1])
    assert found[0, 2] == 1
    assert found[1, 2] == found[2, 1] == 0.5


def test_masks_of_two_sizes_are_named(result, draw_objects):
    one, other = result("one", [draw_objects([1])]), result("other", [draw_objects([1], shape=(40, 50))])
    with pytest.raises(DatasetError, match=r"other/00000.png is 50x40 but .*one/00000.png is 60x40"):
        object_agreement([one, other])


def test_it_is_the_region_similarity(result):
    rng = np.random.default_rng(0)
    masks = [rng.integers(0, 5, (40, 60)) * 51 // 2 for _ in range(2)]
    found = object_agreement([result("one", [masks[0]]), result("other", [masks[1]])])
    assert list(found) == [25, 51, 76, 102]
    for i, each in found.items():
        assert each[0, 1] == each[1, 0] == pytest.approx(region_similarity(masks[0] == i, masks[1] == i))
