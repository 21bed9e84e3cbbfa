"""CVAT's XML: shapes of pictures, tracks of videos, and files that nobody should trust."""

from __future__ import annotations

import logging
import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import mask as library

from cyclevos.errors import MaskError
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import read_track, write_track
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.media.appearance import Appearance

META = "<meta><task><size>4</size><original_size><width>8</width><height>6</height></original_size></task></meta>"


def xml(tmp_path, body, meta=META):
    path = tmp_path / "a.xml"
    path.write_text(f'<?xml version="1.0"?><annotations><version>1.1</version>{meta}{body}</annotations>')
    return path


def image(*shapes, name="00000.jpg"):
    return f'<image id="0" name="{name}" width="8" height="6">{"".join(shapes)}</image>'


def box(label, left, top, right, bottom, **more):
    attributes = "".join(f' {key}="{value}"' for key, value in more.items())
    return f'<box label="{label}" xtl="{left}" ytl="{top}" xbr="{right}" ybr="{bottom}"{attributes}/>'


def track(number, label, *shapes, **more):
    attributes = "".join(f' {key}="{value}"' for key, value in more.items())
    return f'<track id="{number}" label="{label}"{attributes}>{"".join(shapes)}</track>'


def seen(frame, left, **more):
    return box("", left, 0, left + 2, 2, frame=frame, outside=more.pop("outside", 0), keyframe=1, **more)


def first(path, **options):
    return next(read_track(path, options=ReadOptions(**options)).frames()).ids


def test_a_mask_is_runs_along_the_rows_of_its_box(tmp_path):
    mask = '<mask label="a" rle="1, 2, 2, 1" left="3" top="2" width="3" height="2" z_order="0"/>'
    ids = first(xml(tmp_path, image(mask)))
    assert np.argwhere(ids).tolist() == [[2, 4], [2, 5], [3, 5]]


def test_a_box_may_be_turned_and_an_ellipse_holds_the_centres_in_it(tmp_path):
    turned = box("a", 2, 2, 6, 4, rotation=90)  # 4 wide, 2 high, about (4, 3)
    assert np.argwhere(first(xml(tmp_path, image(turned)))).tolist() == [[y, x] for y in range(1, 5) for x in (3, 4)]
    ellipse = '<ellipse label="a" cx="4" cy="3" rx="0.7" ry="2" rotation="90"/>'
    assert np.argwhere(first(xml(tmp_path, image(ellipse)))).tolist() == [[y, x] for y in (2, 3) for x in (3, 4)]


def test_the_higher_z_order_lies_above(tmp_path):
    both = image(box("a", 0, 0, 4, 1, z_order=1), box("b", 2, 0, 6, 1, z_order=0))
    path = xml(tmp_path, both)
    read = read_track(path)
    names = {name: object_id for object_id, name in read.object_names.items()}
    row = next(read.frames()).ids[0]
    assert [row[0], row[3], row[5]] == [names["a"], names["a"], names["b"]]


def test_shapes_without_an_area_are_left_out_and_counted(tmp_path, caplog):
    lines = '<polyline label="a" points="0,0;1,1"/>' * 2 + '<points label="a" points="0,0"/>' + '<tag label="x"/>'
    with caplog.at_level(logging.WARNING):
        masks = read_masks(xml(tmp_path, image(lines, box("car", 0, 0, 2, 2))), None)
    assert masks.names == {1: "car"}
    assert "1 group of points, 2 polylines left out, which cover no area." in caplog.text


def test_groups_hold_the_parts_of_one_object_together(tmp_path):
    parts = image(box("car", 0, 0, 1, 1, group_id=4), box("car", 2, 0, 3, 1, group_id=4), box("car", 4, 0, 5, 1))
    read = read_track(xml(tmp_path, parts))
    assert next(read.frames()).ids[0].tolist() == [1, 0, 1, 0, 2, 0, 0, 0]
    assert read.object_names == {1: "car 1", 2: "car 2"}


def test_track_ids_of_pictures_are_used(tmp_path):
    def tracked(number):
        shape = box("car", number, 0, number + 1, 1)
        return shape.replace("/>", f'><attribute name="track_id">{number}</attribute></box>')

    body = image(tracked(3), tracked(5)) + image(tracked(5), name="00001.jpg")
    assert [np.unique(f.ids).tolist() for f in read_track(xml(tmp_path, body)).frames()] == [[0, 3, 5], [0, 5]]


def test_a_track_is_seen_until_it_is_outside(tmp_path):
    body = track(0, "car", seen(1, 0), seen(2, 2), seen(3, 2, outside=1)) + track(1, "car", seen(1, 4), seen(2, 4))
    frames = list(read_track(xml(tmp_path, body)).frames())
    assert [frame.index for frame in frames] == [0, 1, 2, 3]
    assert [frame.ids[0].tolist() for frame in frames] == [
        [0] * 8,
        [1, 1, 0, 0, 2, 2, 0, 0],
        [0, 0, 1, 1, 2, 2, 0, 0],
        [0] * 8,
    ]


def test_shapes_that_cvat_wrote_as_tracks_of_one_frame_are_one_object_again(tmp_path):
    body = track(0, "car", seen(0, 0), seen(1, 0, outside=1)) + track(1, "car", seen(2, 2), seen(3, 2, outside=1))
    read = read_track(xml(tmp_path, body))
    assert [np.unique(frame.ids).tolist() for frame in read.frames()] == [[0, 1], [0], [0, 1], [0]]
    assert read.object_names == {1: "car"}


def test_shapes_beside_a_track_are_objects_of_their_own(tmp_path):
    body = track(0, "car", seen(0, 0), seen(2, 0)) + track(1, "box", seen(0, 4)) + track(2, "box", seen(2, 4))
    read = read_track(xml(tmp_path, body))
    assert read.object_names == {1: "car", 2: "box"}
    assert [frame.ids[0, [0, 4]].tolist() for frame in read.frames()] == [[1, 2], [0, 0], [1, 2], [0, 0]]
    assert any("1 track has frames without a shape between others" in note for note in read.notes)


def test_objects_that_nothing_tells_apart_are_refused(tmp_path):
    body = "".join(track(k, "car", seen(k // 2, 3 * (k % 2))) for k in range(4))
    with pytest.raises(MaskError, match="nothing says which of them is which"):
        read_track(xml(tmp_path, body))


def test_frames_are_counted_in_the_whole_video(tmp_path):
    meta = META.replace("<size>4</size>", "<size>2</size><start_frame>7</start_frame>")
    path = xml(tmp_path, track(0, "car", seen(8, 0), seen(9, 0, outside=1)), meta)
    assert list(read_masks(path, None, frame_count=20)) == [8]


def test_interpolated_shapes_are_said(tmp_path):
    body = track(0, "car", seen(0, 0), seen(1, 1).replace('keyframe="1"', 'keyframe="0"'), seen(2, 2))
    assert "1 of 3 shapes lies between keyframes" in read_track(xml(tmp_path, body)).notes[0]


def test_a_video_without_its_size_takes_that_of_the_frames(tmp_path):
    path = xml(tmp_path, track(0, "car", seen(0, 0), seen(1, 0)), meta="")
    with pytest.raises(MaskError, match="does not give the size"):
        read_track(path)
    assert first(path, size=(3, 5)).shape == (3, 5)


# pycocotools' decoder is older than NumPy 2.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_an_object_is_one_track_with_one_polygon_per_frame(tmp_path):
    """CVAT keeps one shape of a track in a frame, and the first frame alone of a track of masks."""
    ids = np.zeros((6, 8), np.uint8)
    ids[1:3, 1:3], ids[5, 7] = 9, 9
    frames = [MaskFrame(k, f"{k:05d}", ids * (k != 1)) for k in range(4)]
    track = MaskTrack("clip", lambda: iter(frames), Appearance(names={9: 'a "<&\x01'}))
    write_track(track, "cvat", tmp_path / "c.xml")
    root = ET.parse(tmp_path / "c.xml").getroot()
    assert [child.tag for child in root] == ["version", "meta", "track"]
    shapes = [(each.tag, each.get("frame"), each.get("outside"), each.get("keyframe")) for each in root[2]]
    assert shapes == [("polygon", frame, outside, "1") for frame, outside in zip("0123", "0100", strict=True)]
    assert root[2].get("label") == root.findtext("meta/task/labels/label/name") == 'a "<&?'
    points = root[2][0].get("points")
    drawn = library.decode(library.frPyObjects([[float(v) for v in re.split("[,;]", points)]], 6, 8))
    np.testing.assert_array_equal(drawn[..., 0] * 9, ids)


def test_datumaro_reads_what_is_written(tmp_path):
    datumaro = pytest.importorskip("datumaro")
    ids = np.zeros((6, 8), np.uint8)
    ids[1:3, 1:3], ids[4:6, 5:8] = 1, 2
    track = MaskTrack("", lambda: iter([MaskFrame(k, f"{k}", ids) for k in range(2)]), Appearance(names={1: "car"}))
    write_track(track, "cvat", tmp_path / "annotations.xml")
    read = datumaro.Dataset.import_from(str(tmp_path), "cvat")
    labels = read.categories()[datumaro.AnnotationType.label]
    found = [(labels[each.label].name, each.get_area()) for item in read for each in item.annotations]
    assert found == [("car", 4.0), ("object 2", 6.0)] * 2


def test_frames_of_two_sizes_are_refused(tmp_path):
    frames = [MaskFrame(0, "a", np.ones((2, 3), np.uint8)), MaskFrame(1, "b", np.ones((3, 2), np.uint8))]
    with pytest.raises(MaskError, match="frame a is 3x2, frame b is 2x3, but frames of a CVAT video have one size"):
        write_track(MaskTrack("", lambda: iter(frames)), "cvat", tmp_path / "c.xml")


BOMB = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><annotations>&b;</annotations>'
EXTERNAL = '<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]><annotations>&a;</annotations>'


@pytest.mark.parametrize("text", [BOMB, EXTERNAL, "<annotations>", "<annotations><image", "<annotations/>", "<x/>", ""])
def test_entities_and_broken_files_are_refused(tmp_path, text):
    path = tmp_path / "a.xml"
    path.write_text(text)
    with pytest.raises(MaskError, match=r"a\.xml"):
        read_track(path, "cvat")


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ('<mask label="a" rle="5" left="0" top="0" width="2" height="2"/>', "adds up to 5 pixels; expected 2x2 = 4"),
        ('<mask label="a" rle="1" left="0" top="0" width="99999999" height="99999999"/>', "the size is"),
        ('<mask label="a" rle="x" left="0" top="0" width="2" height="2"/>', "not a list of numbers"),
        ('<polygon label="a" points="1,2;3"/>', "are not x,y;x,y"),
        ('<ellipse label="a" cx="1" cy="1" rx="nan" ry="1"/>', "'nan' as rx; expected a number"),
        ('<box label="a" xtl="1" ytl="1" xbr="3"/>', "has no ybr; expected a number"),
    ],
)
def test_a_broken_shape_is_named(tmp_path, shape, problem):
    with pytest.raises(MaskError, match=r"image 00000\.jpg") as caught:
        first(xml(tmp_path, image(shape)))
    assert problem in str(caught.value)


VALUES = st.sampled_from(
    ["", "0", "1", "-1", "2.5", "nan", "1e999", "99999999999", "1,1;2,2", "0,0;4,0;4,4", "3, 1", "x"]
)
NAMES = (
    "id name width height label points xtl ytl xbr ybr cx cy rx ry rotation rle left top frame outside keyframe "
    "group_id z_order"
)
TAGS = "image track box polygon ellipse mask points meta original_size task size attribute"
ELEMENTS = st.recursive(
    st.just(""),
    lambda inner: st.builds(
        lambda tag, attributes, content: (
            f"<{tag} {' '.join(f'{k}={v!r}' for k, v in attributes.items())}>{content}</{tag}>"
        ),
        st.sampled_from(
            [
                "image",
                "track",
                "box",
                "polygon",
                "ellipse",
                "mask",
                "points",
                "meta",
                "original_size",
                "task",
                "size",
                "attribute",
            ]
        ),
        st.dictionaries(st.sampled_from(NAMES.split()), VALUES, max_size=9),
        st.lists(inner, max_size=4).map("".join),
    ),
    max_leaves=12,
)


@settings(deadline=None, max_examples=60)
@given(body=ELEMENTS)
def test_any_cvat_file_is_read_or_refused(tmp_path_factory, body):
    path = xml(tmp_path_factory.mktemp("x"), body)
    try:
        frames = list(read_track(path, "cvat", ReadOptions(size=(5, 6))).frames())
    except MaskError as error:
        assert str(path) in str(error)  # noqa: PT017
    else:
        assert all(frame.ids.dtype == np.uint8 for frame in frames)


def test_runs_too_long_to_be_written_are_refused(tmp_path):
    mask = f'<mask label="a" left="0" top="0" width="2" height="2" rle="{"9" * 4300},{"9" * 4300}"/>'
    path = xml(tmp_path, f'<image name="0.png" width="5" height="6">{mask}</image>')
    with pytest.raises(MaskError, match="adds up to"):
        list(read_track(path, "cvat").frames())


def test_case(cases):
    masks = read_masks(cases / "masks" / "cvat.xml", [f"{k:05d}" for k in range(12)])
    assert (list(masks), int((masks[0].ids == 1).sum()), masks.names) == ([0], 1734, {1: "car"})
