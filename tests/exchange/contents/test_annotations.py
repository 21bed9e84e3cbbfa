from __future__ import annotations

import weakref
from pathlib import Path

import numpy as np
import pytest

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import AnnotatedFrame, Region, known_size, to_track
from cyclevos.exchange.contents.shapes import (
    Ellipse,
    Patch,
    Polygons,
    RunLength,
    Shape,
    box,
    joined_outlines,
    turned_box,
)
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import write_track

PATH = Path("a.json")
SIZE = (4, 6)


def column(number, **more):
    return Region(box(number, 0, number + 1, 4), **more)


def first_rows(*frames, options=None, **more):
    track = to_track(list(frames), PATH, options or ReadOptions(), **more)
    return [frame.ids[0].tolist() for frame in track.frames()], dict(track.object_names)


def frame(*regions, name="00000"):
    return AnnotatedFrame(name, SIZE, regions)


def test_objects_are_told_apart_by_track_before_label():
    rows, names = first_rows(
        frame(column(0, label="car", track=9), column(2, label="car", track=4)), frame(column(3, label="car", track=4))
    )
    assert rows == [[9, 0, 4, 0, 0, 0], [0, 0, 0, 4, 0, 0]]
    assert names == {4: "car 4", 9: "car 9"}


def test_without_tracks_a_label_is_an_object():
    rows, names = first_rows(frame(column(1, label="dog")), frame(column(4, label="cat"), column(2, label="dog")))
    assert rows == [[0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 2, 0]]
    assert names == {1: "dog", 2: "cat"}


def test_objects_of_one_label_in_one_picture_are_numbered_and_groups_hold_together():
    rows, names = first_rows(
        frame(column(0, label="car"), column(2, label="car", group=7), column(5, label="car", group=7))
    )
    assert rows == [[1, 0, 2, 0, 0, 2]]
    assert names == {1: "car 1", 2: "car 2"}


def test_objects_of_one_label_in_two_pictures_cannot_be_told_apart():
    twins = [column(0, label="car"), column(2, label="car")]
    with pytest.raises(MaskError, match="several objects of one label"):
        first_rows(frame(*twins), frame(*twins))


def test_pieces_of_one_object_may_overlap_and_different_objects_only_by_a_rule():
    pieces = Region(box(0, 0, 3, 4), track=1), Region(box(2, 0, 4, 4), track=1)
    assert first_rows(frame(*pieces))[0] == [[1, 1, 1, 1, 0, 0]]
    two = Region(box(0, 0, 3, 4), track=1), Region(box(2, 0, 4, 4), track=2)
    with pytest.raises(MaskError, match="objects 1 and 2 overlap in 4 pixels"):
        first_rows(frame(*two))
    assert first_rows(frame(*two), stacked=True)[0] == [[1, 1, 2, 2, 0, 0]]
    assert first_rows(frame(*two), stacked=True, options=ReadOptions(overlap="first"))[0] == [[1, 1, 1, 2, 0, 0]]


def test_more_objects_than_ids_and_pictures_of_one_place_are_refused():
    with pytest.raises(MaskError, match="holds 256 objects"):
        first_rows(frame(*(column(0, track=k) for k in range(256))))
    twice = [AnnotatedFrame("a", SIZE, (), 3), AnnotatedFrame("b", SIZE, (), 3)]
    with pytest.raises(MaskError, match="same frame index"):
        first_rows(*twice)
    with pytest.raises(MaskError, match="holds no picture"):
        first_rows()


def test_pictures_without_names_go_by_their_places():
    track = to_track([AnnotatedFrame("", SIZE, [column(0)], 2)], PATH, ReadOptions())
    assert track.by_position
    assert [(f.index, f.name) for f in track.frames()] == [(2, "00002")]


def test_a_size_that_nobody_tells_is_asked_for():
    assert known_size(None, ReadOptions(size=(3, 5)), PATH) == (3, 5)
    with pytest.raises(MaskError, match=r"size of its pictures.*--frames"):
        known_size(None, ReadOptions(), PATH)


def test_a_patch_is_cut_off_at_the_border():
    drawn = Patch(-1, 2, lambda: np.ones((9, 3), np.bool_)).draw((4, 6), "x")
    assert np.argwhere(drawn).tolist() == [[2, 0], [2, 1], [3, 0], [3, 1]]
    assert not Patch(9, 9, lambda: np.ones((2, 2), np.bool_)).draw((4, 6), "x").any()


def test_geometric_shapes_cover_the_pixels_whose_centres_they_hold():
    disk = Ellipse(3, 2, 2, 2).draw((4, 6), "x")
    rows, columns = np.mgrid[:4, :6]
    np.testing.assert_array_equal(disk, (columns + 0.5 - 3) ** 2 + (rows + 0.5 - 2) ** 2 <= 4)
    upright = Ellipse(5, 5, 4, 1, 90).draw((10, 10), "x")
    np.testing.assert_array_equal(upright, Ellipse(5, 5, 1, 4).draw((10, 10), "x"))
    assert turned_box(3, 2, 4, 2, 90).draw((4, 6), "x").sum(axis=0).tolist() == [0, 0, 4, 4, 0, 0]
    with pytest.raises(MaskError, match="radii above 0"):
        Ellipse(1, 1, 0, 2).draw((4, 6), "x")


def test_a_code_for_another_size_is_refused():
    with pytest.raises(MaskError, match=r"the mask is 3x2, but the frame is 6x4"):
        RunLength((2, 3), [6]).draw((4, 6), "x")


@pytest.mark.parametrize("name", ["a\0b.png", "a\ud800.png", "..", ".hidden.png", "9" * 5000, "a\nb"])
def test_a_frame_that_no_file_can_be_named_after_is_refused(name):
    with pytest.raises(MaskError, match="names a frame"):
        to_track([AnnotatedFrame(name, (2, 2))], Path("a.json"), ReadOptions())


@pytest.mark.parametrize("index", [-1, 10**300])
def test_a_frame_before_the_first_or_far_behind_any_video_is_refused(index):
    with pytest.raises(MaskError, match="numbered from 0"):
        to_track([AnnotatedFrame("", (2, 2), (), index)], Path("a.json"), ReadOptions())


def test_names_that_utf8_cannot_hold_become_ones_that_it_can():
    track = to_track([AnnotatedFrame("a", (2, 2), [Region(box(0, 0, 1, 1), "\ud800x")])], Path("a"), ReadOptions())
    assert track.object_names == {1: "?x"}


def test_two_frames_of_one_name_are_refused_where_one_would_replace_the_other(tmp_path):
    frames = [AnnotatedFrame(f"{folder}/0.jpg", (2, 2), [Region(box(0, 0, 1, 1), "a")]) for folder in "tv"]
    track = to_track(frames, Path("a.json"), ReadOptions())
    for kind in ("masks", "labelme", "cvat-masks"):
        with pytest.raises(MaskError, match="Two frames are named '0'"):
            write_track(track, kind, tmp_path / kind)
    assert write_track(track, "mots", tmp_path / "mots.txt")


def test_objects_are_drawn_one_after_the_other():
    """255 masks of a large picture at once would take gigabytes."""
    alive = []

    class Counted(Shape):
        def draw(self, size, where):
            mask = np.zeros(size, bool)
            alive.append(weakref.ref(mask))
            assert sum(each() is not None for each in alive) <= 2
            return mask

    regions = [Region(Counted(), str(number)) for number in range(20)]
    (frame,) = to_track([AnnotatedFrame("a", (4, 4), regions)], Path("a"), ReadOptions()).frames()
    assert not frame.ids.any()
    assert len(alive) == 20


def test_outlines_too_long_to_be_filled_are_refused_and_thousands_of_one_object_are_filled_at_once():
    zigzag = [value for k in range(60_000) for value in (k % 2 * 9000, k // 2 % 2 * 9000)]
    with pytest.raises(MaskError, match="outlines of"):  # pycocotools would crash
        Polygons([zigzag]).draw((9000, 9000), "a")
    boxes = [box(x, 0, x + 1, 1) for x in range(50)]
    joined = joined_outlines([*boxes, Ellipse(1, 1, 1, 1)])
    assert len(joined) == 2
    assert joined[0].draw((2, 60), "a").sum() == 50
