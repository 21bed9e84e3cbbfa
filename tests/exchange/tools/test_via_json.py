"""VIA's JSON: its three versions, how labels are found, and files that nobody should trust."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclevos.errors import MaskError
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import detect, read_track
from cyclevos.exchange.given.given_masks import read_masks

SIZE = (6, 8)
RECT = {"name": "rect", "x": 0, "y": 0, "width": 2, "height": 1}


def via(tmp_path, *regions, name="00000.jpg", wrap=True):
    listed = [{"shape_attributes": shape, "region_attributes": attributes} for shape, attributes in regions]
    pictures = {f"{name}123": {"filename": name, "size": 123, "regions": listed, "file_attributes": {}}}
    path = tmp_path / "v.json"
    path.write_text(json.dumps({"_via_settings": {}, "_via_img_metadata": pictures} if wrap else pictures))
    return path


def read(path):
    track = read_track(path, options=ReadOptions(size=SIZE))
    return track, next(track.frames()).ids


@pytest.mark.parametrize("wrap", [True, False])
def test_a_project_and_annotations_alone(tmp_path, wrap):
    path = via(tmp_path, (RECT, {"label": "car"}), wrap=wrap)
    assert detect(path) == "via"
    track, ids = read(path)
    assert (track.object_names, np.argwhere(ids).tolist()) == ({1: "car"}, [[0, 0], [0, 1]])


def test_version_1_numbers_its_regions(tmp_path):
    path = via(tmp_path, (RECT, {"label": "car"}), wrap=False)
    content = json.loads(path.read_text())
    for picture in content.values():
        picture["regions"] = {str(k): region for k, region in enumerate(picture["regions"])}
    path.write_text(json.dumps(content))
    assert read(path)[1].sum() == 2


@pytest.mark.parametrize(
    ("shape", "count"),
    [
        ({"name": "polygon", "all_points_x": [0, 4, 4, 0], "all_points_y": [0, 0, 3, 3]}, 12),
        ({"name": "circle", "cx": 4, "cy": 3, "r": 1}, 4),
        ({"name": "ellipse", "cx": 4, "cy": 3, "rx": 2, "ry": 0.7}, 4),
        ({"name": "ellipse", "cx": 4, "cy": 3, "rx": 0.7, "ry": 2, "theta": math.pi / 2}, 4),
        ({"name": "point", "cx": 4, "cy": 3}, 0),
        ({"name": "polyline", "all_points_x": [0, 4], "all_points_y": [0, 0]}, 0),
    ],
)
def test_shapes(tmp_path, shape, count):
    ids = read(via(tmp_path, (shape, {"label": "car"})))[1]
    assert ids.sum() == count
    if shape["name"] == "ellipse":
        assert np.argwhere(ids).tolist() == [[y, x] for y in (2, 3) for x in (3, 4)]


@pytest.mark.parametrize(
    ("attributes", "name"),
    [
        ({"colour": "red", "Class": "car"}, "car"),
        ({"vehicle": "car"}, "car"),
        ({"type": {"car": True, "bus": False}}, "car"),
        ({"colour": "red", "size": "big"}, None),
        ({}, None),
    ],
)
def test_the_label_is_the_attribute_that_means_it_or_the_only_one(tmp_path, attributes, name):
    assert read(via(tmp_path, (RECT, attributes)))[0].object_names == ({} if name is None else {1: name})


def test_an_attribute_that_numbers_objects_is_their_id(tmp_path):
    other = {**RECT, "y": 3}
    track, ids = read(
        via(tmp_path, (RECT, {"label": "car", "track_id": "7"}), (other, {"label": "car", "track_id": "3"}))
    )
    assert (ids[0, 0], ids[3, 0]) == (7, 3)
    assert track.object_names == {3: "car 3", 7: "car 7"}


def version_3(tmp_path, *marks, z=()):
    path = tmp_path / "v.json"
    content = {
        "project": {"pname": "x"},
        "config": {},
        "attribute": {"1": {"aname": "label", "options": {"0": "car", "1": "box"}}, "2": {"aname": "x", "options": {}}},
        "file": {"1": {"fid": "1", "fname": "00002.jpg"}},
        "view": {"1": {"fid_list": ["1"]}},
        "metadata": {str(k): {"vid": "1", "z": list(z), "xy": xy, "av": {"1": av}} for k, (xy, av) in enumerate(marks)},
    }
    path.write_text(json.dumps(content))
    return path


def test_version_3(tmp_path):
    marks = [
        ([2, 0, 0, 2, 1], "0"),
        ([7, 4, 0, 8, 0, 8, 2, 4, 2], "1"),
        ([1, 3, 3], "1"),
        ([3, 2, 4, 1], "0"),
        ([], "0"),
    ]
    masks = read_masks(version_3(tmp_path, *marks[:3]), None, fit_to=SIZE)
    assert list(masks) == [2]
    assert masks.names == {1: "car", 2: "box"}
    assert [int((masks[2].ids == k).sum()) for k in (1, 2)] == [2, 8]
    assert read(version_3(tmp_path, marks[3], marks[4]))[1].sum() == 4
    with pytest.raises(MaskError, match="marks times in a video"):
        read(version_3(tmp_path, marks[0], z=[1.5]))


def test_the_size_must_be_known(tmp_path):
    with pytest.raises(MaskError, match="does not give the size"):
        read_track(via(tmp_path, (RECT, {"label": "car"})))


VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.floats(),
    st.integers(-9, 10**400),
    st.text(max_size=3),
    st.lists(st.integers(0, 7), max_size=9),
)


@settings(deadline=None, max_examples=60)
@given(data=st.data(), version=st.sampled_from([2, 3]))
def test_a_good_file_with_one_wrong_place_is_read_or_refused(tmp_path_factory, data, version):
    folder = tmp_path_factory.mktemp("v")
    path = via(folder, (RECT, {"label": "car"})) if version == 2 else version_3(folder, ([2, 0, 0, 2, 1], "0"))
    tree = json.loads(path.read_text())
    node, key = tree, data.draw(st.sampled_from(sorted(tree)))
    while isinstance(node[key], dict | list) and node[key] and data.draw(st.integers(0, 5)):
        node = node[key]
        key = data.draw(st.sampled_from(sorted(node) if isinstance(node, dict) else range(len(node))))
    node[key] = data.draw(VALUES)
    path.write_text(json.dumps(tree))
    try:
        frames = list(read_track(path, "via", ReadOptions(size=SIZE)).frames())
    except MaskError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert all(frame.ids.shape == SIZE for frame in frames)


def test_case(cases):
    masks = read_masks(cases / "masks" / "via.json", [f"{k:05d}" for k in range(12)], fit_to=(240, 428))
    assert (list(masks), int((masks[0].ids == 1).sum()), masks.names) == ([0], 1734, {1: "car"})
