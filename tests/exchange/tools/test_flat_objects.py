"""One picture's objects in one folder of PNGs: told from masks of frames by names and pixels."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.formats import detect, read_track
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.exchange.tools.flat_objects import looks_flat


def save(folder, *, value=255, size=(4, 9), **columns):
    """Save a mask per name, of the given column; a name's second underscore stands for its ending's dot."""
    for name, column in columns.items():
        ids = np.zeros(size, np.uint8)
        ids[:, column] = value
        Image.fromarray(ids).save(folder / f"{name}.png")
    return folder


def test_numbers_are_the_ids(tmp_path, caplog):
    save(tmp_path, object_2=1, object_10=4)
    masks = read_masks(tmp_path, ["00000", "00001"])
    assert masks[0].ids[0].tolist() == [0, 2, 0, 0, 10, 0, 0, 0, 0]
    assert (list(masks), masks.names) == ([0], {})
    assert "its 2 PNGs are read as the first frame's objects" in caplog.text


def test_names_are_those_of_the_objects_in_natural_order(tmp_path):
    save(tmp_path, car=1, box=4)
    track = read_track(tmp_path)
    assert detect(tmp_path) == "objects-flat"
    assert track.object_names == {1: "box", 2: "car"}
    assert next(track.frames()).ids[0].tolist() == [0, 2, 0, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize("names", [("00000", "00007"), ("frame_1", "frame_2")])
def test_names_of_frames_are_those_of_frames_though_the_object_moved_far(tmp_path, names):
    save(tmp_path, **dict(zip(names, (1, 4), strict=True)))
    assert detect(tmp_path) == "masks"
    assert len(read_masks(tmp_path, None, frame_count=9)) == 2


def test_overlapping_masks_are_those_of_frames(tmp_path):
    save(tmp_path, mask_0001=1, mask_0002=slice(1, 3))
    assert list(read_masks(tmp_path, None, frame_count=9)) == [1, 2]


def test_what_may_be_either_is_refused_until_the_user_says_which(tmp_path):
    save(tmp_path, mask_1=1, mask_2=4)
    with pytest.raises(MaskError, match=r"may be those of different frames.*or those of different objects") as caught:
        read_masks(tmp_path, None, frame_count=9)
    assert "--mask-format masks for frames, --mask-format objects-flat for objects" in str(caught.value)
    assert list(read_masks(tmp_path, None, frame_count=9, reading=MaskReading(format="masks"))) == [1, 2]
    objects = read_masks(tmp_path, None, frame_count=9, reading=MaskReading(format="objects-flat"))
    assert objects[0].object_ids == (1, 2)


@pytest.mark.parametrize("odd", [{"column": slice(0, 0)}, {"column": 1}, {"column": 2, "size": (4, 8)}])
def test_an_empty_an_overlapping_and_a_smaller_mask_are_not_of_one_picture(tmp_path, odd):
    save(tmp_path, car=1)
    save(tmp_path, size=odd.get("size", (4, 9)), box=odd["column"])
    assert not looks_flat(tmp_path)


def test_pictures_of_ids_are_not_black_and_white(tmp_path):
    save(tmp_path, car=1)
    ids = np.zeros((4, 9), np.uint8)
    ids[:, 4], ids[:, 5] = 1, 2
    Image.fromarray(ids).save(tmp_path / "box.png")
    assert not looks_flat(tmp_path)
    with pytest.raises(MaskError, match=r"box\.png holds 2 values besides 0; expected one"):
        list(read_track(tmp_path, "objects-flat").frames())


def test_label_studio_names_its_files_after_tags(tmp_path):
    names = [f"task-12-annotation-7-by-a@b.c-tag-{tag}" for tag in ("traffic-light-0", "car-0", "car-1")]
    save(tmp_path, **dict(zip(names, (1, 3, 5), strict=True)))
    masks = read_masks(tmp_path, None)
    assert masks.names == {1: "car 1", 2: "car 2", 3: "traffic-light"}
    assert masks[0].ids[0].tolist() == [0, 3, 0, 1, 0, 2, 0, 0, 0]
    save(tmp_path, **{"task-13-annotation-8-by-1-tag-car-0": 7})
    with pytest.raises(MaskError, match=r"of 2 annotations of Label Studio \(task 12, annotation 7; task 13"):
        read_masks(tmp_path, None)


@pytest.mark.parametrize(("folder", "car"), [("per_object_flat", 1), ("labelstudio", 2)])
def test_cases(cases, folder, car):
    masks = read_masks(cases / "masks" / folder, [f"{k:05d}" for k in range(12)])
    truth = np.load(cases / "masks" / "ids.npy")
    np.testing.assert_array_equal(masks[0].ids == car, truth == 1)
    np.testing.assert_array_equal(masks[0].ids == 3 - car, truth == 2)
    assert dict(masks.names) == ({} if car == 1 else {1: "box", 2: "car"})
