"""Supervisely's JSON: bitmaps, polygons with holes and boxes of pictures and videos."""

from __future__ import annotations

import base64
import io
import json
import zlib

import numpy as np
import pytest
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.contents import embedded
from cyclevos.exchange.formats import detect, read_track

SIZE = {"height": 12, "width": 16}


def bitmap(mask, origin):
    with io.BytesIO() as file:
        Image.fromarray(np.where(mask, 255, 0).astype(np.uint8)).save(file, format="PNG")
        packed = zlib.compress(file.getvalue())
    return {"data": base64.b64encode(packed).decode(), "origin": origin}


def points(*exterior, holes=()):
    return {"exterior": list(exterior), "interior": [list(hole) for hole in holes]}


RING = points((2, 2), (10, 2), (10, 10), (2, 10), holes=[((4, 4), (8, 4), (8, 8), (4, 8))])
FIGURES = {
    "bitmap": {"bitmap": bitmap(np.eye(3, dtype=bool), [5, 1])},
    "polygon": {"points": RING},
    "rectangle": {"points": points((3, 2), (6, 4))},
    "point": {"points": points((3, 2))},
}


def covered(kind):
    ids = np.zeros((12, 16), np.uint8)
    if kind == "bitmap":
        ids[[1, 2, 3], [5, 6, 7]] = 1
    elif kind == "polygon":
        ids[2:10, 2:10] = 1
        ids[4:8, 4:8] = 0
    elif kind == "rectangle":
        ids[2:5, 3:7] = 1  # its last row and column are inside
    return ids


def write(path, **content):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"description": "", "tags": [], "size": SIZE, **content}))
    return path


@pytest.mark.parametrize("kind", FIGURES)
def test_figures_of_a_picture_cover_their_pixels(tmp_path, kind):
    figure = {"classTitle": "car", "geometryType": kind, **FIGURES[kind]}
    path = write(tmp_path / "clip" / "ann" / "00003.jpg.json", objects=[figure])
    for given in (path, path.parent, tmp_path / "clip"):
        assert detect(given) == "supervisely"
        track = read_track(given)
        (frame,) = track.frames()
        assert frame.name == "00003"
        np.testing.assert_array_equal(frame.ids, covered(kind))
        assert dict(track.object_names) == ({} if kind == "point" else {1: "car"})


@pytest.mark.parametrize("named", [("key", "objectKey"), ("id", "objectId")])
def test_figures_of_a_video_belong_to_its_objects(tmp_path, named):
    own, owner = named
    objects = [{own: k if own == "id" else f"k{k}", "classTitle": "car"} for k in (70, 30)]
    figures = [
        {owner: each[own], "geometryType": kind, "geometry": FIGURES[kind]}
        for each, kind in zip(objects, ("bitmap", "rectangle"), strict=True)
    ]
    frames = [{"index": 4, "figures": figures[::-1][:1]}, {"index": 1, "figures": figures[:1]}]
    track = read_track(write(tmp_path / "a.mp4.json", objects=objects, frames=frames, framesCount=9))
    early, late = track.frames()
    assert track.by_position
    assert (early.index, late.index) == (1, 4)
    first, second = (70, 30) if own == "id" else (1, 2)  # numbers are kept, names are numbered as they appear
    np.testing.assert_array_equal(early.ids, covered("bitmap") * first)
    np.testing.assert_array_equal(late.ids, covered("rectangle") * second)
    assert dict(track.object_names) == {first: f"car {first}", second: f"car {second}"}


@pytest.mark.parametrize(
    ("figure", "said"),
    [
        ({"geometryType": "cuboid", "points": points((1, 1))}, "type cuboid.*expected a bitmap"),
        ({"geometryType": "rectangle", "points": points((1, 1))}, "expected a bitmap"),
        ({"geometryType": "bitmap", "bitmap": {"data": "AAAA", "origin": [0, 0]}}, "its mask cannot be read"),
        ({"geometryType": "bitmap", "bitmap": {"data": 3, "origin": [0, 0]}}, "bitmap.data"),
    ],
)
def test_what_is_no_mask_is_refused_by_name(tmp_path, figure, said):
    path = write(tmp_path / "a.jpg.json", objects=[{"classTitle": "car", **figure}])
    with pytest.raises(MaskError, match=said):
        list(read_track(path).frames())


def test_a_figure_of_no_object_and_two_videos_are_refused(tmp_path):
    figure = {"objectKey": "x", "geometryType": "point", "geometry": {}}
    path = write(tmp_path / "a.json", objects=[], frames=[{"index": 0, "figures": [figure]}])
    with pytest.raises(MaskError, match="belongs to the object x, which the file lacks"):
        read_track(path)
    write(tmp_path / "b.json", objects=[], frames=[])
    with pytest.raises(MaskError, match="annotations of a video"):
        read_track(tmp_path)


def test_a_bomb_in_a_bitmap_costs_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(embedded, "_MAX_BYTES", 2**20)
    data = base64.b64encode(zlib.compress(b"\x89PNG" + bytes(2**21), 9)).decode()
    figure = {"geometryType": "bitmap", "bitmap": {"data": data, "origin": [0, 0]}}
    with pytest.raises(MaskError, match="unpacks to more than"):
        list(read_track(write(tmp_path / "a.json", objects=[figure])).frames())
