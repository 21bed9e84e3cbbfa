"""Label Studio's JSON: strokes, polygons, boxes and ellipses; names of pictures; who counts; broken files."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from cyclevos.errors import MaskError
from cyclevos.exchange.formats import detect, read_track, write_track
from cyclevos.exchange.tools.label_studio_code import Brush, encoded
from cyclevos.exchange.track import MaskFrame, MaskTrack

SIZE = {"original_width": 40, "original_height": 20, "image_rotation": 0}
BOX = {"x": 25.0, "y": 25.0, "width": 50.0, "height": 50.0, "rectanglelabels": ["car"]}
INSIDE = np.zeros((20, 40), np.uint8)
INSIDE[5:15, 10:30] = 1


def task(*values, image="/data/upload/3/1a2b3c4d-00000.jpg", **more):
    results = [{"id": f"r{k}", "type": "?", **SIZE, "value": value} for k, value in enumerate(values)]
    return {"data": {"image": image}, "annotations": [{"result": results, "completed_by": 5, **more}]}


def read(tmp_path, *tasks):
    path = tmp_path / "export.json"
    path.write_text(json.dumps(list(tasks)))
    assert detect(path) == "label-studio"
    return read_track(path)


def one(tmp_path, *values):
    (frame,) = read(tmp_path, task(*values)).frames()
    return frame.ids


SHAPES = {
    "box": BOX,
    "polygon": {"points": [[25, 25], [75, 25], [75, 75], [25, 75]], "polygonlabels": ["car"]},
    "strokes": {"format": "rle", "rle": encoded(INSIDE > 0), "brushlabels": ["car"]},
}


@pytest.mark.parametrize("kind", SHAPES)
def test_shapes_cover_their_pixels_and_name_their_object(tmp_path, kind):
    track = read(tmp_path, task(SHAPES[kind]))
    (frame,) = track.frames()
    np.testing.assert_array_equal(frame.ids, INSIDE)
    assert (frame.name, dict(track.object_names)) == ("00000", {1: "car"})


def test_a_box_turns_around_its_first_corner_and_an_ellipse_around_its_centre(tmp_path):
    turned = one(tmp_path, {"x": 75.0, "y": 25.0, "width": 25.0, "height": 50.0, "rotation": 90})
    assert np.argwhere(turned).min(0).tolist() == [5, 20], "clockwise by 90 degrees, to the left of (30, 5) and below"
    assert np.argwhere(turned).max(0).tolist() == [14, 29]
    upright = one(tmp_path, {"x": 50, "y": 50, "radiusX": 10, "radiusY": 40, "rotation": 0, "ellipselabels": ["a"]})
    on_its_side = one(tmp_path, {"x": 50, "y": 50, "radiusX": 20, "radiusY": 20, "rotation": 90})
    assert (upright.any(0).sum(), upright.any(1).sum()) == (8, 16)
    np.testing.assert_array_equal(on_its_side, upright)


def test_separate_labels_belong_to_the_shape_of_the_same_id(tmp_path):
    strokes = {"format": "rle", "rle": encoded(INSIDE > 0)}
    results = [
        {"id": "a", "type": "brush", **SIZE, "value": strokes},
        {"id": "a", "type": "labels", **SIZE, "value": {**strokes, "labels": ["dog"]}},
        {"id": "b", "type": "choices", "value": {"choices": ["sharp"]}},
    ]
    track = read(tmp_path, {"data": {"image": "x/00000.jpg"}, "annotations": [{"result": results}]})
    assert dict(track.object_names) == {1: "dog"}
    np.testing.assert_array_equal(next(track.frames()).ids, INSIDE)


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("/data/upload/3/1a2b3c4d-00000.jpg", "00000"),
        ("/data/upload/3/1a2b3c4d-20240101-1.jpg", "20240101-1"),
        ("/data/local-files/?d=clips%2F20240101-1.jpg", "20240101-1"),
        ("https://host/bucket/frame%200007.PNG?X-Sign=a.b/c", "frame 0007"),
        ("s3://bucket/00012.jpeg", "00012"),
        (r"C:\clips\00012.jpeg", "00012"),
    ],
)
def test_the_frame_is_named_after_the_picture(tmp_path, image, name):
    (frame,) = read(tmp_path, task(BOX, image=image)).frames()
    assert frame.name == name


def test_json_min_and_a_stored_annotation_are_read_too(tmp_path):
    short = {"image": "/data/upload/1/1a2b3c4d-00003.jpg", "id": 1, "tag": [{**BOX, **SIZE}], "annotator": 1}
    stored = {"id": 9, "result": task(BOX)["annotations"][0]["result"], "task": {"data": {"image": "00003.jpg"}}}
    for content in (short, stored):
        (frame,) = read(tmp_path, content).frames()
        np.testing.assert_array_equal(frame.ids, INSIDE)
        assert frame.name == "00003"


def test_the_first_annotation_that_was_not_cancelled_counts_and_its_author_is_told(tmp_path):
    given = task(BOX)
    cancelled = {"result": [], "was_cancelled": True, "completed_by": 1}
    other = {"result": [], "completed_by": {"id": 8, "email": "b@c"}}
    given["annotations"] = [cancelled, *given["annotations"], other]
    given["predictions"] = [{"result": []}]
    track = read(tmp_path, given)
    np.testing.assert_array_equal(next(track.frames()).ids, INSIDE)
    assert len(track.notes) == 1
    assert track.notes[0].endswith("1 picture with several annotations; the first of each is used, by annotator 5.")


def test_predictions_count_where_nothing_was_annotated(tmp_path):
    given = task(BOX)
    given["predictions"] = given.pop("annotations")
    track = read(tmp_path, given)
    np.testing.assert_array_equal(next(track.frames()).ids, INSIDE)
    assert "holds no annotations, so its predictions are used" in track.notes[0]


@pytest.mark.parametrize(
    ("result", "said"),
    [
        ({"type": "videorectangle", "value": {"sequence": [], "labels": ["a"]}}, "boxes of a video"),
        ({**SIZE, "image_rotation": 90, "value": BOX}, "turned by 90 degrees there"),
        ({**SIZE, "value": {**BOX, "x": None}}, "without a place"),
        ({**SIZE, "original_width": 41, "value": SHAPES["strokes"]}, r"3,200 values; expected 3,280"),
        (
            {**SIZE, "original_width": 10**6, "original_height": 10**6, "value": SHAPES["strokes"]},
            "expected a frame of",
        ),
        ({**SIZE, "value": {"rle": encoded(INSIDE > 0)[:-2]}}, "the code ends early"),
        ({**SIZE, "value": {"rle": [300]}}, "less than or equal to 255"),
    ],
)
def test_what_is_no_mask_is_refused_by_name(tmp_path, result, said):
    with pytest.raises(MaskError, match=said):
        list(read(tmp_path, {"data": {}, "annotations": [{"result": [result]}]}).frames())


def test_nothing_annotated_is_said(tmp_path):
    with pytest.raises(MaskError, match="holds no annotation"):
        read(tmp_path, {"data": {"image": "a.jpg"}, "annotations": []})


@settings(deadline=None)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(1, 40), st.integers(1, 40))))
def test_strokes_survive_their_code(mask):
    np.testing.assert_array_equal(Brush(mask.shape, encoded(mask)).draw(mask.shape, "x"), mask)


@settings(deadline=None, max_examples=60)
@given(st.lists(st.integers(0, 255), max_size=40), st.booleans())
def test_a_broken_code_is_an_error_and_nothing_else(code, headed):
    code = [0, 0, 0, 64, 0b00111001, 0b00011011, 0b11111100, *code] if headed else code
    try:
        shape = Brush((4, 4), code).draw((4, 4), "x").shape
    except MaskError:
        shape = (4, 4)
    assert shape == (4, 4)


def brush_of_label_studio():
    """Label Studio's own codec, without the package around it."""
    found = importlib.util.find_spec("label_studio_sdk")
    if found is None or found.origin is None:
        pytest.skip("label_studio_sdk is not installed")
    file = Path(found.origin).parent / "converter" / "brush.py"
    spec = importlib.util.spec_from_file_location("brush_of_label_studio", file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@settings(deadline=None, max_examples=60)
@given(arrays.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 90, 255])))
def test_strokes_of_any_opacity_are_decoded_as_by_label_studios_library(alpha):
    theirs = brush_of_label_studio()
    colours = np.dstack([np.full_like(alpha, 7), np.full_like(alpha, 0), alpha // 2, alpha])  # single values, not runs
    code = list(theirs.encode_rle(colours.ravel()))
    np.testing.assert_array_equal(theirs.decode_rle(code), colours.ravel())
    np.testing.assert_array_equal(Brush(alpha.shape, code).draw(alpha.shape, "x"), alpha >= 128)


def test_label_studios_own_library_agrees(tmp_path):
    theirs = brush_of_label_studio()
    ids = np.zeros((60, 90), np.uint8)
    ids[10:40, 20:70], ids[45:50, 3:9] = 1, 2
    ids[20:30, 30:40] = 0
    write_track(MaskTrack("clip", lambda: iter([MaskFrame(0, "00000", ids)])), "label-studio", tmp_path / "m.json")
    (written,) = json.loads((tmp_path / "m.json").read_text())
    regions = written["predictions"][0]["result"]
    assert len(regions) == 2
    for object_id, region in enumerate(regions, start=1):
        pixels = theirs.decode_rle(region["value"]["rle"]).reshape(60, 90, 4)
        np.testing.assert_array_equal(pixels[..., 3] > 0, ids == object_id)
        code = list(theirs.encode_rle(np.repeat((ids == object_id).astype(np.uint8) * 255, 4)))
        np.testing.assert_array_equal(Brush(ids.shape, code).draw(ids.shape, "x"), ids == object_id)


def test_a_task_in_the_middle_of_the_video_keeps_its_frame_and_other_pictures_stay_empty(tmp_path):
    track = read(tmp_path, task(image="a/00000.jpg"), task(BOX, image="a/00001.jpg"))
    first, second = track.frames()
    assert (first.name, first.ids.any(), first.ids.shape) == ("00000", False, (20, 40))
    np.testing.assert_array_equal(second.ids, INSIDE)
