"""JSON of SAM, SA-1B and SA-V: objects by their order, masklets by their frames, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as library

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import run_length
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import detect, read_track, write_track
from cyclevos.exchange.track import MaskFrame, MaskTrack

# pycocotools' decoder is older than NumPy 2.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

LEFT, RIGHT = np.zeros((2, 4, 6), bool)
LEFT[:, :2], RIGHT[1:3, 3:] = True, True
BOTH = np.where(LEFT, 1, np.where(RIGHT, 2, 0))


def code(mask):
    return {"size": list(mask.shape), "counts": run_length.encode(mask)}


def write(path, content):
    path.write_text(json.dumps(content))
    return path


def record(mask, **more):
    return {"segmentation": code(mask), "area": 1, "bbox": [0, 0, 1, 1], "predicted_iou": 0.9, **more}


PICTURES = {
    "sa-1b": {"image": {"image_id": 7, "file_name": "00002.jpg"}, "annotations": [record(LEFT, id=900), record(RIGHT)]},
    "generator": [record(LEFT), record(RIGHT)],
    "codes": [code(LEFT), code(RIGHT)],
    "runs": [{"segmentation": {"size": [4, 6], "counts": [0, 8, 16]}}, record(RIGHT)],
}


@pytest.mark.parametrize("kind", PICTURES)
def test_objects_of_a_picture_are_numbered_as_they_come(tmp_path, kind):
    path = write(tmp_path / "00001.json", PICTURES[kind])
    assert detect(path) == "sam"
    (frame,) = read_track(path).frames()
    assert frame.name == ("00002" if kind == "sa-1b" else "00001")
    np.testing.assert_array_equal(frame.ids, BOTH)


def test_pictures_whose_objects_nothing_tells_apart_and_lists_without_names_are_refused(tmp_path):
    write(tmp_path / "0.json", PICTURES["generator"])
    write(tmp_path / "1.json", PICTURES["generator"])
    assert detect(tmp_path) == "sam"
    with pytest.raises(MaskError, match="nothing says which of them is which"):
        read_track(tmp_path)
    with pytest.raises(MaskError, match=r"without names of pictures.*a COCO file that lists its images"):
        read_track(write(tmp_path / "2.json", [record(LEFT, image_id=3)]))
    with pytest.raises(MaskError, match="holds no mask"):
        read_track(write(tmp_path / "3.json", {"image": {}, "annotations": []}))


def video(count, annotated, **more):
    masklet = [[code(LEFT), code(RIGHT & (k > 0))] for k in range(annotated)]
    sizes = {"video_height": 4.0, "video_width": 6.0, "video_frame_count": float(count)}
    return {"video_id": "sav_1", **sizes, "masklet": masklet, "masklet_id": [0, 1], **more}


@pytest.mark.parametrize(
    ("count", "annotated", "length", "indices"),
    [
        (12, 1, None, [0]),
        (12, 3, 12, [0, 4, 8]),
        (10, 3, None, [0, 4, 8]),
        (3, 3, None, [0, 1, 2]),
        (12, 3, 3, [0, 1, 2]),  # of a video that holds every fourth frame already
    ],
)
def test_masklets_are_of_every_fourth_frame_or_of_all(tmp_path, count, annotated, length, indices):
    path = write(tmp_path / "a.json", video(count, annotated))
    assert detect(path) == "sa-v"
    track = read_track(path, options=ReadOptions(length=length))
    frames = list(track.frames())
    assert track.by_position
    assert [frame.index for frame in frames] == indices
    np.testing.assert_array_equal(frames[0].ids, LEFT.astype(np.uint8))
    np.testing.assert_array_equal(frames[-1].ids, BOTH if annotated > 1 else LEFT)
    assert bool(track.notes) == (indices[-1] == 8)
    assert all("every fourth frame, as in SA-V: 0, 4, 8" in note for note in track.notes)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (video(12, 7), "masks of 7 frames of a video of 12 frames; expected one of every frame or of every fourth"),
        (video(3, 3, masklet_id=[0]), "frame 0 has 2 masks of 1 masklet"),
        (video(3, 3, video_height=5.0), "the mask is 6x4, but the frame is 6x5"),
        (video(3, 3, masklet=3), "masklet: Input should be a valid list"),
    ],
)
def test_broken_masklets_are_named(tmp_path, content, said):
    with pytest.raises(MaskError, match=said):
        list(read_track(write(tmp_path / "a.json", content)).frames())


def test_what_is_written_is_sa_v(tmp_path):
    masks = [np.zeros((4, 6), np.uint8), (LEFT * 7).astype(np.uint8), np.where(LEFT, 7, RIGHT * 3).astype(np.uint8)]
    frames = [MaskFrame(k, f"{k:05d}", ids) for k, ids in enumerate(masks)]
    write_track(MaskTrack("clip", lambda: iter(frames)), "sa-v", tmp_path / "m.json")
    written = json.loads((tmp_path / "m.json").read_text())
    assert (written["video_id"], written["video_frame_count"], written["masklet_num"]) == ("clip", 3, 2)
    assert (written["masklet_id"], written["masklet_first_appeared_frame"]) == ([3, 7], [2, 1])
    assert written["masklet_frame_count"] == [1, 2]
    for ids, codes in zip(masks, written["masklet"], strict=True):
        for object_id, each in zip(written["masklet_id"], codes, strict=True):
            np.testing.assert_array_equal(library.decode(each), ids == object_id)


members = st.sampled_from(["image", "annotations", "segmentation", "size", "counts", "masklet", "masklet_id", "data"])
anything = st.recursive(
    st.none() | st.integers(-3, 9) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(members, inner, max_size=6),
    max_leaves=20,
)


@settings(deadline=None, max_examples=60)
@given(anything, st.sampled_from(["sam", "sa-v", "label-studio", "supervisely"]), st.booleans())
def test_any_json_is_read_or_refused(tmp_path_factory, value, kind, inside):
    path = tmp_path_factory.mktemp("j") / "m.json"
    good = {"sam": PICTURES["sa-1b"], "sa-v": video(3, 3), "supervisely": {"size": {"height": 4, "width": 6}}}
    content = {**good.get(kind, {}), **value} if inside and isinstance(value, dict) else value
    path.write_text(json.dumps(content))
    try:
        types = {frame.ids.dtype for frame in read_track(path, kind).frames()}
    except MaskError as error:
        types, refusal = set(), str(error)
        assert refusal.startswith(str(path))
    assert types <= {np.dtype(np.uint8)}
