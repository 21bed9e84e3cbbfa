from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclevos.errors import MaskError
from cyclevos.exchange.frame_matching import FrameNames

WHERE = Path("masks")
VIDEO = FrameNames(None, 20, "holiday")
SHOTS = FrameNames([f"shot_{k:03d}" for k in (1, 2, 5, 9)])


def matched(frames, *names, **how):
    return frames.match({name: name for name in names}, WHERE, **how)


@pytest.mark.parametrize(
    ("frames", "name", "index"),
    [
        (VIDEO, "12", 12),
        (VIDEO, "00012", 12),
        (VIDEO, "20", None),
        (FrameNames(None), "20", 20),
        (FrameNames(None), "\u0662", None),
        (FrameNames(["a", "b"]), "b", 1),
        (FrameNames(["a", "b"]), "1", None),
    ],
)
def test_the_frame_that_a_name_is_that_of(frames, name, index):
    assert frames.index(name) == index


@pytest.mark.parametrize(
    ("frames", "names", "indices"),
    [
        (VIDEO, ["frame_000000", "frame_000007"], [0, 7]),
        (VIDEO, ["holiday_3"], [3]),
        (VIDEO, ["IMG-4_mask"], [4]),
        (SHOTS, ["00005"], [2]),
        (SHOTS, ["mask_2", "mask_9"], [1, 3]),
        (SHOTS, ["shot_002_gt"], [1]),
    ],
)
def test_names_that_are_no_frames_are_matched_by_their_numbers_and_that_is_said(frames, names, indices):
    found = matched(frames, *names)
    assert dict(found.names) == dict(zip(indices, names, strict=True))
    assert f"{names[0]} is frame" in found.note


def test_names_of_frames_need_no_word():
    assert matched(SHOTS, "shot_005", "shot_001") == ({2: "shot_005", 0: "shot_001"}, None)


@pytest.mark.parametrize(
    ("frames", "names"),
    [
        (VIDEO, ["object_1", "object_2"]),  # numbers of objects
        (VIDEO, ["take1_0003", "take2_0003"]),  # of two takes
        (VIDEO, ["frame_19", "frame_20"]),  # past the end
        (SHOTS, ["mask_3"]),  # no frame has it
        (FrameNames(["a_1", "b_1"]), ["mask_1"]),  # two frames have it
        (SHOTS, ["shot_001", "shot_3"]),  # one is a frame's name, so all must be
    ],
)
def test_what_is_ambiguous_is_refused(frames, names):
    with pytest.raises(MaskError, match="belongs to no frame"):
        matched(frames, *names)


def test_names_of_roboflow_are_those_of_the_pictures_it_was_given():
    assert dict(matched(SHOTS, "shot_002_jpg.rf.2f6ba3").names) == {1: "shot_002_jpg.rf.2f6ba3"}
    assert dict(matched(VIDEO, "frame_0007_PNG.rf.9x").names) == {7: "frame_0007_PNG.rf.9x"}
    own = FrameNames(["a_jpg.rf.1", "a_jpg.rf.2"])
    assert dict(matched(own, "a_jpg.rf.2").names) == {1: "a_jpg.rf.2"}
    with pytest.raises(MaskError, match="two masks for frame 1"):
        matched(SHOTS, "shot_002_jpg.rf.1", "shot_002_jpg.rf.2")


def test_two_masks_of_one_frame_are_refused():
    with pytest.raises(MaskError, match=r"two masks for frame 7: masks/7 and 007"):
        matched(VIDEO, "7", "007")
    with pytest.raises(MaskError, match="two masks for frame 7"):
        matched(VIDEO, "mask_7", "mask_07")


def test_a_picture_by_itself_belongs_to_the_first_frame_unless_it_is_named_after_another():
    found = matched(SHOTS, "painted", alone=True)
    assert dict(found.names) == {0: "painted"}
    assert "used for frame shot_001" in found.note
    assert dict(matched(SHOTS, "shot_005", alone=True).names) == {2: "shot_005"}
    assert dict(matched(SHOTS, "00000", alone=True).names) == {0: "00000"}
    with pytest.raises(MaskError, match="belongs to no frame"):
        matched(SHOTS, "frame_0050", alone=True)
    with pytest.raises(MaskError, match="belongs to no frame"):
        matched(SHOTS, "painted")


def test_places_past_the_end_are_refused():
    assert SHOTS.match_positions({"00003": 3}, WHERE).names == {3: "00003"}
    with pytest.raises(MaskError, match="a mask for frame 4, counted from 0, but the video has 4 frames"):
        SHOTS.match_positions({"00004": 4}, WHERE)


@given(
    st.lists(st.text(max_size=8), min_size=1, max_size=4, unique=True),
    st.lists(st.text(max_size=8), min_size=1, max_size=4),
)
def test_any_names_are_matched_or_refused(frames, names):
    try:
        found = FrameNames(frames).match({name: name for name in names}, WHERE, alone=True)
    except MaskError:
        return
    assert sorted(found.names.values()) == sorted(set(names))
