"""Names of objects that come with masks: from folders per object, categories, label maps and the records of runs."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.formats import read_track, write_track
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.exchange.object_names import recorded_names
from cyclevos.exchange.tools.label_map import LabelMap
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.media.appearance import Appearance

CVAT = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncar:250,50,83::\nbox:51,221,255::\n"


@pytest.fixture
def class_masks(tmp_path):
    """A data set in VOC's layout: one class mask with a border, and its label map."""
    rgb = np.zeros((6, 8, 3), np.uint8)
    rgb[1:3, 1:3], rgb[4:, 4:], rgb[0] = (250, 50, 83), (51, 221, 255), (224, 224, 192)
    (tmp_path / "SegmentationClass").mkdir()
    Image.fromarray(rgb).save(tmp_path / "SegmentationClass" / "00000.png")
    (tmp_path / "labelmap.txt").write_text(CVAT)
    return tmp_path


@pytest.mark.parametrize("part", ["", "SegmentationClass", "SegmentationClass/00000.png"])
def test_a_label_map_numbers_and_names_the_classes(class_masks, caplog, part):
    masks = read_masks(class_masks / part, None)
    expected = np.zeros((6, 8), np.uint8)
    expected[1:3, 1:3], expected[4:, 4:] = 1, 2
    np.testing.assert_array_equal(masks[0].ids, expected)
    assert masks.names == {1: "car", 2: "box"}
    assert masks[0].palette[:9] == bytes([0, 0, 0, 250, 50, 83, 51, 221, 255])
    assert "car (250,50,83) is object 1, box (51,221,255) is object 2." in caplog.text


def test_a_colour_that_the_label_map_lacks_is_named(class_masks):
    (class_masks / "labelmap.txt").write_text(CVAT.replace("box:51,221,255::\n", ""))
    with pytest.raises(MaskError, match=r"00000\.png shows the colour \(51,221,255\), which .*labelmap\.txt lacks"):
        read_masks(class_masks, None)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.one_of(st.binary(max_size=80), st.text("car:#,0129\n-", max_size=60).map(str.encode)))
def test_any_label_map_is_read_or_refused_by_name(tmp_path, content):
    file = tmp_path / "labelmap.txt"
    file.write_bytes(content)
    try:
        names = LabelMap(file).names
    except MaskError as error:
        assert "labelmap.txt" in str(error)  # noqa: PT017
    else:
        assert list(names) == list(range(1, len(names) + 1))


def test_a_folder_per_object(tmp_path):
    for name, column in (("box", 1), ("car", 4)):
        ids = np.zeros((6, 8), np.uint8)
        ids[:, column] = 255
        (tmp_path / name).mkdir()
        Image.fromarray(ids).save(tmp_path / name / "3.png")
    masks = read_masks(tmp_path, None, frame_count=5)
    assert list(masks) == [3]
    assert masks[3].ids[0].tolist() == [0, 1, 0, 0, 2, 0, 0, 0]
    assert masks.names == {1: "box", 2: "car"}


def test_masks_of_a_run_have_the_names_in_its_record(tmp_path):
    Image.fromarray(np.eye(4, dtype=np.uint8) * 3).save(tmp_path / "00000.png")
    assert read_masks(tmp_path, None).names == {}
    for record in ('{"object_names": {"3": "dog"}}', '{"object_names": [3]}', '{"object_names": {"x": 1}}', "[", "3"):
        (tmp_path / "run.json").write_text(record)
        expected = {3: "dog"} if "dog" in record else {}
        assert recorded_names(tmp_path) == expected
        assert read_masks(tmp_path, None).names == expected
        assert read_track(tmp_path, "masks").object_names == expected


def test_objects_of_one_category_keep_its_name(tmp_path):
    square = [[0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 0.0, 2.0]]
    other = [[4.0, 0.0, 6.0, 0.0, 6.0, 2.0, 4.0, 2.0]]
    content = {
        "images": [{"id": 1, "file_name": "00000.jpg", "height": 6, "width": 8}],
        "categories": [{"id": 1, "name": "car"}],
        "annotations": [
            {"id": k, "image_id": 1, "category_id": 1, "track_id": k, "segmentation": shape}
            for k, shape in ((1, square), (2, other))
        ],
    }
    (tmp_path / "cars.json").write_text(json.dumps(content))
    assert read_masks(tmp_path / "cars.json", None).names == {1: "car 1", 2: "car 2"}


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("cvat", {"car": 1, "box": 2}),
        ("coco_rle.json", {"car": 1, "box": 2}),
        ("ytvis.json", {"car 1": 1, "car 2": 2}),
        ("coco_poly.json", {"car": 1, "box": 2}),
        ("per_object", {"box": 1, "car": 2}),
    ],
)
def test_cases(cases, name, ids):
    truth = np.load(cases / "masks" / "ids.npy")
    masks = read_masks(cases / "masks" / name, [f"{k:05d}" for k in range(12)])
    assert {label: i for i, label in masks.names.items()} == ids
    for object_id, number in zip((1, 2), ids.values() if name != "per_object" else (2, 1), strict=True):
        wrong = (masks[0].ids == number) != (truth == object_id)
        assert wrong.mean() <= (0.005 if "poly" in name else 0)


INSTANCES = np.array([[1, 1, 0, 2, 2, 0, 3, 3]] * 6, np.uint8)  # two cars and a box


def instance_masks(folder, *frames):
    """A data set with a class mask and an instance mask per frame; 1 and 2 are cars, 3 is a box."""
    palette = np.array([(0, 0, 0), (128, 0, 0), (0, 128, 0), (128, 128, 0)], np.uint8)
    classes = np.array([(0, 0, 0), (250, 50, 83), (250, 50, 83), (51, 221, 255)], np.uint8)
    for name, table in (("SegmentationClass", classes), ("SegmentationObject", palette)):
        (folder / name).mkdir()
        for k, ids in enumerate(frames):
            Image.fromarray(table[ids]).save(folder / name / f"{k:05d}.png")
    (folder / "labelmap.txt").write_text(CVAT)
    return folder


def test_objects_of_one_class_are_told_apart_by_the_instance_masks(tmp_path, caplog):
    masks = read_masks(instance_masks(tmp_path, INSTANCES), None)
    np.testing.assert_array_equal(masks[0].ids, INSTANCES)
    assert masks.names == {1: "car 1", 2: "car 2", 3: "box"}
    assert "told apart by SegmentationObject: 1 is car 1, 2 is car 2, 3 is box." in caplog.text
    assert read_track(tmp_path).object_names == masks.names


def test_objects_of_one_class_cannot_be_followed_from_picture_to_picture(tmp_path):
    with pytest.raises(MaskError, match="nothing says which of them is which"):
        read_masks(instance_masks(tmp_path, INSTANCES, INSTANCES), None)


def test_an_instance_mask_that_does_not_belong_to_its_class_mask_is_named(tmp_path):
    folder = instance_masks(tmp_path, INSTANCES)
    Image.fromarray(np.zeros((3, 3), np.uint8)).save(folder / "SegmentationObject" / "00000.png")
    with pytest.raises(MaskError, match=r"00000\.png is 3x3, but .*00000\.png is 8x6"):
        read_masks(folder, None)


def test_grey_masks_hold_the_lines_of_the_label_map(tmp_path):
    (tmp_path / "SegmentationClass").mkdir()
    Image.fromarray(np.array([[0, 1, 2]], np.uint8)).save(tmp_path / "SegmentationClass" / "0.png")
    (tmp_path / "labelmap.txt").write_text("background:0,128,0::\ncar:250,50,83::\nbox:51,221,255::\n")
    assert read_masks(tmp_path, None)[0].ids.tolist() == [[0, 1, 2]]


def test_labels_that_a_label_map_cannot_hold_are_changed_and_told_apart(tmp_path):
    ids = np.array([[1, 2, 3, 4]], np.uint8)
    names = {1: "a:b", 2: "dog", 3: "dog", 4: "background"}
    write_track(
        MaskTrack("", lambda: iter([MaskFrame(0, "x", ids)]), Appearance(names=names)), "cvat-masks", tmp_path / "a.zip"
    )
    assert read_track(tmp_path / "a.zip").object_names == {1: "a b", 2: "dog 2", 3: "dog 3", 4: "background 4"}
