"""YOLO's labels: lines with and without numbers behind the points, names, sizes, boxes, and other programs' readers."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import detect, find, read_track, write_track
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.media.appearance import Appearance

SIZE = ReadOptions(size=(20, 40))
LEFT = "0.0 0.0 0.5 0.0 0.5 1.0 0.0 1.0"
RIGHT = "0.5 0.0 1.0 0.0 1.0 1.0 0.5 1.0"


def write(path, *lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


def halves(path, options=SIZE):
    """The ids of the left and the right half."""
    (frame,) = read_track(path, options=options).frames()
    assert frame.ids.shape == (20, 40)
    for half in (frame.ids[:, :20], frame.ids[:, 20:]):
        assert (half == half[0, 0]).all()
    return int(frame.ids[0, 0]), int(frame.ids[0, -1])


@pytest.mark.parametrize(
    ("left", "right", "ids"),
    [
        (f"0 {LEFT}", f"1 {RIGHT}", (1, 2)),
        (f"3 {LEFT}", f"7 {RIGHT}", (3, 7)),
        (f"0 {LEFT}", f"0 {RIGHT}", (1, 2)),  # of one class, in one picture
        (f"0 {LEFT} 0.91", f"1 {RIGHT} 0.5", (1, 2)),  # confidences
        (f"0 {LEFT} 8", f"0 {RIGHT} 4", (8, 4)),  # track numbers
        (f"0 {LEFT} 0.91 8", f"0 {RIGHT} 0.5 1", (8, 1)),  # both
        (f"0 {LEFT}", "", (1, 0)),
    ],
)
def test_outlines_and_what_predictions_append(tmp_path, left, right, ids):
    path = write(tmp_path / "00004.txt", left, right)
    assert detect(path) == "yolo"
    assert halves(path) == ids
    assert next(read_track(path, options=SIZE).frames()).name == "00004"


def test_track_numbers_join_the_pictures_of_a_folder(tmp_path):
    write(tmp_path / "labels" / "10.txt", f"0 {RIGHT} 4", f"0 {LEFT} 9")
    write(tmp_path / "labels" / "9.txt", f"0 {LEFT} 4")
    write(tmp_path / "labels" / "11.txt")
    for folder in (tmp_path, tmp_path / "labels"):
        frames = list(read_track(folder, "yolo", SIZE).frames())
        assert [(f.name, int(f.ids[0, 0]), int(f.ids[0, -1])) for f in frames] == [
            ("9", 4, 0),
            ("10", 9, 4),
            ("11", 0, 0),
        ]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("data.yaml", "names: [car, box]\n"),
        ("data.yaml", "names: {0: car, 1: box}\n"),
        ("labels/classes.txt", "car\nbox\n"),
        ("obj.names", "car\nbox\n"),
    ],
)
def test_names_of_classes_lie_beside_or_above(tmp_path, file, text):
    path = write(tmp_path / "labels" / "train" / "a.txt", f"1 {RIGHT}", f"0 {LEFT}")
    write(tmp_path / file, text)
    for given_path in (path, path.parent, tmp_path):
        assert dict(read_track(given_path, options=SIZE).object_names) == {1: "car", 2: "box"}
    assert halves(path) == (1, 2)


def test_the_size_is_that_of_the_video_or_of_the_pictures(tmp_path):
    path = write(tmp_path / "labels" / "a.txt", f"0 {LEFT}", f"1 {RIGHT}")
    with pytest.raises(MaskError, match=r"does not give the size.*--frames"):
        read_track(path)
    (tmp_path / "images").mkdir()
    Image.new("RGB", (40, 20)).save(tmp_path / "images" / "a.JPG", format="JPEG")
    assert halves(path, ReadOptions()) == halves(tmp_path, ReadOptions()) == (1, 2)
    assert next(read_track(path, options=ReadOptions(size=(10, 20))).frames()).ids.shape == (10, 20)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("0 0.5 0.5 0.2 0.2", r"a\.txt, line 1: a box .* which has no outline"),
        ("0 0.5 0.5 0.2 0.2 0.9", "a box"),
        ("0 100 50 200 50 200 80", "corners reach 200; expected shares"),
        ("0 0.1 0.1 nan 0.1 0.5 0.5", "6 numbers after the class 0"),
        ("-1 0.1 0.1 0.5 0.1 0.5 0.5", "after the class -1"),
        ("0 0.1 0.1 0.5", "3 numbers after the class 0; expected x and y of at least three points"),
        ("car 0.1 0.1 0.5 0.1 0.5 0.5", "expected a class and numbers"),
    ],
)
def test_lines_that_are_no_outlines_are_refused_by_name(tmp_path, line, said):
    with pytest.raises(MaskError, match=said):
        list(read_track(write(tmp_path / "a.txt", line), "yolo", SIZE).frames())


def test_lines_of_different_kinds_and_poses_are_refused(tmp_path):
    with pytest.raises(MaskError, match="line 2: 9 numbers after the class, which are not pairs"):
        read_track(write(tmp_path / "a.txt", f"0 {LEFT}", f"0 {RIGHT} 0.5"), "yolo", SIZE)
    write(tmp_path / "data.yaml", "kpt_shape: [17, 3]")
    with pytest.raises(MaskError, match="holds poses"):
        read_track(tmp_path / "a.txt", "yolo", SIZE)


def test_boxes_are_recognised_so_that_they_can_be_refused(tmp_path):
    write(tmp_path / "obj_train_data" / "a.txt", "0 0.5 0.5 0.2 0.2")
    assert detect(tmp_path / "obj_train_data") == "yolo"


@settings(deadline=None, max_examples=60)
@given(st.binary(max_size=80), st.booleans())
def test_any_text_and_any_description_is_read_or_refused(tmp_path_factory, content, described):
    folder = tmp_path_factory.mktemp("y")
    write(folder / "a.txt", f"0 {LEFT}")
    (folder / ("data.yaml" if described else "a.txt")).write_bytes(content)
    try:
        shapes = [frame.ids.shape for frame in read_track(folder, "yolo", SIZE).frames()]
    except MaskError as error:
        shapes, refusal = [], str(error)
        assert refusal.startswith(str(folder))
    assert set(shapes) <= {(20, 40)}


def written(folder, masks, names):
    frames = [MaskFrame(k, f"{k:05d}", ids) for k, ids in enumerate(masks)]
    write_track(MaskTrack("clip", lambda: iter(frames), Appearance(names=names)), "yolo", folder)


def test_supervision_reads_what_is_written(tmp_path):
    supervision = pytest.importorskip("supervision")
    masks = np.zeros((2, 120, 160), np.uint8)
    masks[0, 20:80, 10:90], masks[0, 90:110, 100:150] = 3, 9
    masks[1, 30:90, 20:100] = 3
    written(tmp_path, masks, {3: "car", 9: "box"})
    (tmp_path / "images").mkdir()
    for k in range(2):
        Image.new("RGB", (160, 120)).save(tmp_path / "images" / f"{k:05d}.png")
    read = supervision.DetectionDataset.from_yolo(
        str(tmp_path / "images"), str(tmp_path / "labels"), str(tmp_path / "data.yaml"), force_masks=True
    )
    assert read.classes == ["car", "box"]
    for path, _, found in read:
        ids = masks[int(path[-5])]
        shown = [k for k in (3, 9) if (ids == k).any()]
        assert [read.classes[k] for k in found.class_id] == ["car", "box"][: len(shown)]
        for mask, object_id in zip(found.mask, shown, strict=True):
            right = ids == object_id  # OpenCV, which it draws with, counts the far side of an outline in
            assert (mask & right).sum() == right.sum()
            assert mask.sum() <= right.sum() + 160


def test_the_description_is_that_of_a_data_set_of_ultralytics(tmp_path):
    written(tmp_path, np.full((1, 4, 4), 9, np.uint8), {9: "car"})
    content = yaml.safe_load((tmp_path / "data.yaml").read_text())
    assert content["names"] == {0: "car"}
    assert {content["train"], content["val"]} == {"images"}
    assert (tmp_path / "labels" / "00000.txt").read_text() == "0 0 0 1 0 1 1 0 1\n"


def test_frames_of_two_sizes_are_refused(tmp_path):
    masks = [np.ones((4, 4), np.uint8), np.ones((4, 5), np.uint8)]
    with pytest.raises(MaskError, match="Frame 00001 is 5x4, the frames before it are 4x4"):
        written(tmp_path, masks, {})


def test_only_what_was_written_is_removed(tmp_path):
    written(tmp_path, np.ones((2, 4, 4), np.uint8), {})
    (tmp_path / "images").mkdir()
    find("yolo").remove(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["images"]
    write(tmp_path / "labels" / "mine.txt", f"0 {LEFT}")
    write(tmp_path / "data.yaml", "names: [a]")
    find("yolo").remove(tmp_path)
    assert (tmp_path / "labels" / "mine.txt").exists()
