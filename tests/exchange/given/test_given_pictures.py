"""Masks given as pictures of other kinds than PNG: folders of them, files of several, and what lies beside."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.formats import detect, read_track, write_track
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.exchange.given.mask_reading import MaskReading

IDS = np.zeros((12, 16), np.uint8)
IDS[2:6, 3:9], IDS[7:11, 8:15] = 1, 2
NAMES = [f"{k:05d}" for k in range(4)]


def stack(path, masks):
    first, *others = (Image.fromarray(mask) for mask in masks)
    first.save(path, save_all=True, append_images=others)
    return path


@pytest.mark.parametrize("ending", [".tif", ".bmp", ".gif", ".webp"])
def test_a_folder_of_pictures_of_one_kind_is_given_and_converted(tmp_path, ending):
    options = {"lossless": True} if ending == ".webp" else {}
    for name, mask in (("00001", IDS), ("00003", IDS[::-1])):
        Image.fromarray(mask).save(tmp_path / f"{name}{ending}", **options)
    given = read_masks(tmp_path, NAMES, fit_to=IDS.shape)
    assert list(given) == [1, 3]
    np.testing.assert_array_equal(given[3].ids, IDS[::-1])
    assert detect(tmp_path) == "masks"
    write_track(read_track(tmp_path), "coco", tmp_path / "out.json")
    assert [f.name for f in read_track(tmp_path / "out.json").frames()] == ["00001", "00003"]


def test_pngs_count_before_the_frames_beside_them(tmp_path):
    Image.fromarray(IDS).save(tmp_path / "00000.png")
    Image.new("RGB", (16, 12)).save(tmp_path / "00000.jpg")
    np.testing.assert_array_equal(read_masks(tmp_path, NAMES)[0].ids, IDS)


def test_pictures_with_annotations_beside_them_are_no_masks(tmp_path):
    Image.fromarray(IDS).save(tmp_path / "00001.png")
    shape = {"label": "car", "points": [[2, 2], [8, 2], [8, 8]], "shape_type": "polygon"}
    content = {"shapes": [shape], "imagePath": "00001.png", "imageHeight": 12, "imageWidth": 16}
    (tmp_path / "00001.json").write_text(json.dumps(content))
    given = read_masks(tmp_path, NAMES)
    assert (list(given), dict(given.names)) == ([1], {1: "car"})
    assert detect(tmp_path) == "labelme"


def test_a_file_of_several_pictures_is_of_the_first_frames(tmp_path):
    path = stack(tmp_path / "stack.tif", [IDS, IDS * 0, IDS[::-1].copy()])
    given = read_masks(path, NAMES, fit_to=IDS.shape)
    assert list(given) == [0, 2]
    np.testing.assert_array_equal(given[2].ids, IDS[::-1])
    assert "holds 3 pictures, which are taken for the masks of the first 3 frames" in given.notes[0]
    assert detect(path) == "masks"
    track = read_track(path)
    assert [(f.index, f.name, f.ids.any()) for f in track.frames()] == [
        (0, "00000", True),
        (1, "00001", False),
        (2, "00002", True),
    ]
    assert track.by_position


def test_255_means_the_same_in_all_pictures_of_a_file(tmp_path):
    white = (IDS == 1).astype(np.uint8) * 255
    binary = stack(tmp_path / "a.tif", [white, white * 0, white])
    assert [mask.object_ids for mask in read_masks(binary, NAMES).values()] == [(1,), (1,)]
    assert [int(f.ids.max()) for f in read_track(binary).frames()] == [1, 0, 1]
    several = stack(tmp_path / "b.tif", [white, IDS])
    given = read_masks(several, NAMES)
    assert [mask.object_ids for mask in given.values()] == [(), (1, 2)]
    assert any("255 beside other ids marks unknown pixels" in note for note in given.notes)


def test_more_pictures_than_frames_are_refused_before_they_are_read(tmp_path):
    with pytest.raises(MaskError, match="a mask for frame 4, counted from 0, but the video has 4 frames"):
        read_masks(stack(tmp_path / "a.tif", [IDS] * 5), NAMES)


def test_jpegs_are_named_and_repaired_on_request(tmp_path):
    Image.fromarray((IDS > 0).astype(np.uint8) * 255).resize((160, 120), 0).save(tmp_path / "00000.jpg")
    with pytest.raises(MaskError, match=r"00000\.jpg is a JPEG file"):
        read_masks(tmp_path, NAMES)
    given = read_masks(tmp_path, NAMES, reading=MaskReading(fix=True))
    assert given[0].object_ids == (1,)
    assert np.count_nonzero(given[0].ids) == pytest.approx(np.count_nonzero(IDS) * 100, rel=0.01)
