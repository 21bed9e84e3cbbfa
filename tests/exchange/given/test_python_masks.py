"""Masks as Python callers have them: every kind gives the ids that were meant, the rest is refused in plain words."""

from __future__ import annotations

import json
import logging
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cyclevos.errors import CycleVOSError, MaskError
from cyclevos.exchange.contents.run_length import encode
from cyclevos.exchange.formats import write_track
from cyclevos.exchange.given.mask_reader import MaskReader
from cyclevos.exchange.given.python_masks import check_masks, read_video_masks
from cyclevos.exchange.tools.coco_writer import CocoWriter
from cyclevos.exchange.track import MaskFrame, MaskTrack, as_result
from cyclevos.media.appearance import Appearance
from cyclevos.pictures.mask_files import read_mask
from cyclevos.pictures.palette import DAVIS_PALETTE

SIZE = (6, 9)
CAR = np.zeros(SIZE, bool)
CAR[1:4, 1:5] = True
BOX = np.zeros(SIZE, bool)
BOX[4:6, 6:9] = True
IDS = (CAR + 2 * BOX).astype(np.uint8)
STACK = np.stack([CAR, BOX])


def code(mask, kind=str):
    counts = encode(mask)
    return {"size": [*SIZE], "counts": counts.encode() if kind is bytes else counts}


def runs(mask):
    """The uncompressed counts of COCO: background first, down the columns."""
    flat = np.concatenate([[False], mask.T.ravel()])
    ends = np.append(np.flatnonzero(np.diff(flat.astype(int))), mask.size)
    return {"size": list(SIZE), "counts": np.diff(np.concatenate([[0], ends])).tolist()}


def indexed(ids):
    image = Image.fromarray(ids)
    image.putpalette(DAVIS_PALETTE)
    return image


def ids_of(mask):
    return MaskReader().read(mask).ids


@pytest.mark.parametrize(
    "mask",
    [
        IDS,
        IDS.astype(np.int64),
        IDS.tolist(),
        IDS[None],
        IDS[..., None],
        torch.from_numpy(IDS),
        torch.from_numpy(IDS)[None],
        STACK,
        STACK.astype(np.uint8),
        STACK.astype(np.uint8) * 255,
        STACK.astype(np.float32),
        STACK[:, None],  # as SAM 2 has it
        STACK[None],
        torch.from_numpy(STACK),
        torch.from_numpy(STACK).to(torch.bfloat16),
        [CAR, BOX],
        [torch.from_numpy(CAR), indexed(BOX.astype(np.uint8))],
        [code(CAR), code(BOX, bytes)],
        (runs(CAR), runs(BOX)),
        {"car": CAR, "box": BOX},
        {"car": code(CAR), "box": Image.fromarray(BOX)},
        {1: CAR, 2: BOX},  # within a frame: by id, as SAM 2's examples keep their results
        indexed(IDS),
        indexed(IDS).convert("RGB"),
        Image.fromarray(IDS),
    ],
    ids=lambda mask: f"{type(mask).__name__}-{getattr(mask, 'dtype', '')}-{getattr(mask, 'shape', '')}",
)
def test_every_kind_of_mask_gives_the_same_ids(mask):
    read = ids_of(mask)
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, IDS)


@pytest.mark.parametrize(
    "mask",
    [CAR, CAR[None], CAR.astype(float), torch.from_numpy(CAR), torch.from_numpy(CAR).float()[None], code(CAR), [CAR]],
    ids=lambda mask: f"{type(mask).__name__}-{getattr(mask, 'dtype', '')}",
)
def test_a_mask_of_one_object_is_object_1(mask):
    np.testing.assert_array_equal(ids_of(mask), CAR)


def test_a_background_given_as_an_object_is_said(caplog):
    read = read_video_masks(np.stack([IDS == 0, CAR, BOX]))
    assert read[0].object_ids == (1, 2, 3)
    assert "The mask of frame 0: no pixel is background" in caplog.text or "covers more than 90%" in caplog.text
    caplog.clear()
    read_video_masks(np.stack([CAR, BOX]))
    assert not caplog.records


def test_objects_on_the_last_axis_are_named():
    with pytest.raises(MaskError, match=r"shape \(40, 30, 2\), probably \(H,W,N\).*np\.moveaxis"):
        ids_of(np.zeros((40, 30, 2), bool))


def test_a_mask_file_is_read_by_frame_index(tmp_path, caplog):
    indexed(IDS).save(tmp_path / "00003.png")
    write_track(MaskTrack("", lambda: iter([MaskFrame(0, "00007", IDS)])), "labelme", tmp_path / "labelme")
    np.testing.assert_array_equal(read_video_masks({4: tmp_path / "labelme"})[4].ids, IDS)
    for path in (tmp_path / "00003.png", str(tmp_path / "00003.png")):
        given_masks = read_video_masks({0: IDS, 4: path})
        np.testing.assert_array_equal(given_masks[4].ids, IDS)
    assert not caplog.records, "the caller said which frame it is for"
    np.testing.assert_array_equal(read_video_masks(tmp_path)[3].ids, IDS)
    np.testing.assert_array_equal(read_video_masks(tmp_path / "00003.png")[0].ids, IDS)
    assert read_video_masks({0: tmp_path / "00003.png"})[0].palette == DAVIS_PALETTE
    np.testing.assert_array_equal(ids_of(read_mask(tmp_path / "00003.png")), IDS)


def test_names_of_a_file_are_kept_and_are_the_same_objects_as_names_of_a_dict(tmp_path):
    with CocoWriter(tmp_path / "masks.json", "clip", Appearance(names={1: "box", 2: "car"})) as writer:
        writer.write(as_result(MaskFrame(0, "masks", IDS)))
    assert json.loads((tmp_path / "masks.json").read_text())["categories"]
    read = read_video_masks({0: {"car": CAR}, 2: tmp_path / "masks.json"})
    assert read.names == {1: "car", 2: "box"}
    np.testing.assert_array_equal(read[2].ids == 1, BOX)
    np.testing.assert_array_equal(read[2].ids == 2, CAR)


# Names


def test_a_name_is_the_same_object_in_every_frame():
    read = read_video_masks({5: {"box": BOX, "dog": CAR}, 0: {"car": CAR, "box": BOX}})
    assert read.names == {1: "car", 2: "box", 3: "dog"}
    assert list(read) == [0, 5]
    np.testing.assert_array_equal(read[5].ids, 3 * CAR + 2 * BOX)


def test_names_alone_are_for_the_first_frame():
    assert list(read_video_masks({"car": CAR, "box": BOX})) == [0]


def test_a_new_name_takes_no_id_that_is_in_use():
    read = read_video_masks({0: IDS, 1: {"dog": CAR}})
    assert read.names == {3: "dog"}


@pytest.mark.parametrize("value", [1, 7, 255])
def test_the_value_of_a_named_mask_does_not_matter(value):
    np.testing.assert_array_equal(ids_of({"car": CAR.astype(np.uint8) * value}), CAR)


# 255


def test_255_alone_is_object_1_in_all_masks():
    masks = read_video_masks({0: CAR.astype(np.uint8) * 255, 3: BOX.astype(np.uint8) * 255})
    assert [mask.object_ids for mask in masks.values()] == [(1,), (1,)]


def test_255_beside_other_ids_is_an_object_in_arrays_with_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        masks = read_video_masks({0: CAR + BOX.astype(np.uint8) * 255})
    assert masks[0].object_ids == (1, 255)
    assert "It is segmented as object 255" in caplog.text


def test_255_beside_other_ids_is_unknown_in_pictures_as_in_files(tmp_path, caplog):
    ids = CAR + BOX.astype(np.uint8) * 255
    Image.fromarray(ids).save(tmp_path / "mask.png")
    assert read_video_masks(Image.fromarray(ids))[0].object_ids == (1,)
    assert "255 beside other ids (6 pixels). In pictures and files it marks unknown pixels" in caplog.text
    assert read_video_masks({0: tmp_path / "mask.png"})[0].object_ids == (1,)
    # The first file alone would be a mask of one object; both files are decided together.
    Image.fromarray(BOX.astype(np.uint8) * 255).save(tmp_path / "first.png")
    both = read_video_masks({0: tmp_path / "first.png", 1: tmp_path / "mask.png"})
    assert [mask.object_ids for mask in both.values()] == [(), (1,)]


@pytest.mark.parametrize("height", [SIZE[0] + 0.5, np.complex128(SIZE[0]), None, "6"])
def test_a_code_whose_size_is_not_whole_is_refused(height):
    np.testing.assert_array_equal(ids_of({**code(CAR), "size": [float(SIZE[0]), np.int64(SIZE[1])]}), CAR)
    with pytest.raises(MaskError, match="is a run-length code that cannot be read"):
        ids_of({**code(CAR), "size": [height, SIZE[1]]})


def test_a_picture_that_is_probably_not_what_was_meant_gets_a_warning(caplog):
    with caplog.at_level(logging.WARNING):
        read_video_masks(Image.fromarray(np.ones(SIZE, np.uint8)))
    assert "The mask of frame 0: object 1 covers more than 90% of the frame" in caplog.text


def test_masks_that_are_decided_stay_as_they_are():
    assert check_masks({2: CAR.astype(np.uint8) * 255})[2].max() == 255


# Refusals


@pytest.mark.parametrize(
    ("mask", "problem", "remedy"),
    [
        (None, "The mask of frame 0 is None", "OpenCV's readers return None"),
        (CAR * 0.7, r"is float64 of shape \(6, 9\) with values 0..0.7, a soft mask", "mask > 0.5"),
        (CAR * 9.5 - 4, r"with values -4..5.5, which are no probabilities", "mask > 0 for logits"),
        (torch.full(SIZE, torch.nan), "values nan..nan", "> 0.5"),
        (IDS.astype(np.float32), "is float32", r"mask.astype\('uint8'\)"),
        (IDS.astype(np.int32) * 1000, r"values 0..2000", "renumber them"),
        (-IDS.astype(np.int8), r"values -2..0", "from 1 to 255"),
        (CAR.astype(complex), "is complex128", "integers"),
        (np.dstack([IDS] * 3), r"of shape \(6, 9, 3\), a colour picture", "Pillow image or a path"),
        (np.stack([IDS, IDS]), "a stack of 2 masks with values 0..2; expected bool", "as bool"),
        (np.zeros((300, 2, 2), bool), "a stack of 300 masks; expected at most 255 objects", "height"),
        (np.stack([CAR, BOX, CAR]), "objects 1, 3 overlap in 12 pixels", r"masks\[scores.argmax\(\)\]"),
        ({"car": CAR, "van": CAR}, r"objects 1 \(car\), 2 \(van\) overlap in 12 pixels", "second &= ~first"),
        ({"car": IDS}, "object 'car' shows objects 1, 2; expected a mask of one object", "one mask of ids"),
        ([CAR, BOX[:3]], "parts of different sizes, 9x3 and 9x6", "frames' size"),
        (np.zeros((0, 4), np.uint8), "without a pixel", "how it was made"),
        (np.zeros((2, 2, 2, 2, 2), bool), r"of shape \(2, 2, 2, 2, 2\)", "ids"),
        (7, r"is int64 of shape \(\)", "ids"),
        ("nowhere.png", "nowhere.png does not exist", "spelling"),
        (Image.new("F", (9, 6), 0.5), "values 0.5..0.5, a soft mask", "mask > 0.5"),
        ({0: {}}, "is an empty dict", "names or ids inside"),
        ({0: {"car": CAR, 3: BOX}}, "a dict with the keys 'car', 3", "names or ids inside"),
        ({0: {0: CAR}}, "a dict with the keys 0", "ids from 1|ids inside"),
        ({"car": CAR, 3: BOX}, "'car' is not a frame index", '{"car": mask}'),
        ({True: CAR}, "True is not a frame index", "by frame index"),
        (object(), "is object; expected object ids", "NumPy array"),
        (np.zeros(SIZE, np.uint8), "No mask shows an object", "1..255"),
        ({}, "No mask shows an object", ""),
        ([], "without a pixel", ""),
    ],
)
def test_what_is_no_mask_is_named_with_a_way_out(mask, problem, remedy):
    with pytest.raises(MaskError, match=problem) as raised:
        read_video_masks(mask)
    assert re.search(remedy, raised.value.remedy)


@pytest.mark.parametrize(
    ("broken", "text"),
    [
        ({"size": [6, 9], "counts": "!!"}, "does not belong in a run-length code"),
        ({"size": [9, 6, 1], "counts": ""}, "cannot be read"),
        ({"size": None, "counts": ""}, "cannot be read"),
        ({"size": [6, 9], "counts": None}, "cannot be read"),
        ({"size": [6, 9], "counts": b"\xff"}, "cannot be read"),
        ({"size": [6, 9], "counts": [1, 2]}, "the runs add up to 3 pixels"),
        ({"size": [10**6, 10**6], "counts": [10**12]}, "expected a frame of 1 to"),
    ],
)
def test_a_broken_code_is_refused(broken, text):
    with pytest.raises(MaskError, match=text):
        ids_of(broken)


def test_a_code_of_another_size_is_refused_before_it_is_decoded():
    huge = {"size": [16000, 16000], "counts": [16000 * 16000]}
    with pytest.raises(MaskError, match="16000x16000 but the frames are 9x6"):
        MaskReader(SIZE).read(huge)


def test_more_than_255_names_are_refused():
    reader = MaskReader()
    for number in range(255):
        reader.number(f"object number {number}")
    with pytest.raises(MaskError, match="There is no id left for 'one more'"):
        reader.number("one more")


# Anything at all

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(),
    st.just(np.dtype("U3")),
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
)
KEYS = st.one_of(st.text(max_size=3), st.integers(-2, 300), st.none(), st.just("size"), st.just("counts"))
THINGS = st.recursive(
    st.one_of(
        ARRAYS, st.none(), st.booleans(), st.integers(), st.floats(), st.text("ab0", max_size=3), st.binary(max_size=9)
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
CODES = st.fixed_dictionaries(
    {
        "size": st.lists(st.one_of(st.integers(-1, 9), st.floats(), st.none()), max_size=3) | st.text(max_size=2),
        "counts": st.one_of(
            st.text(max_size=9), st.binary(max_size=9), st.lists(st.integers(-3, 50), max_size=5), st.none()
        ),
    }
)


@given(st.one_of(THINGS, CODES, st.dictionaries(st.integers(0, 3), CODES, max_size=2)))
@settings(max_examples=60, deadline=None)
def test_anything_is_masks_or_refused(thing):
    try:
        masks = read_video_masks(thing)
    except CycleVOSError:
        return
    assert any(mask.object_ids for mask in masks.values())
    for index, mask in masks.items():
        assert index >= 0
        assert mask.ids.dtype == np.uint8
        assert mask.ids.ndim == 2
