"""Masks with an alpha channel, and what `--fix-mask` says of the masks that it reads."""

from __future__ import annotations

import numpy as np
import pytest
from clips import scene
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.pictures.mask_files import read_mask
from cyclevos.pictures.mask_notes import texts


def cut_out(rgb, alpha):
    return np.dstack([rgb, alpha]).astype(np.uint8)


def told(mask):
    return "; ".join(texts(mask))


def saved(array, folder, name="mask.png"):
    path = folder / name
    Image.fromarray(array).save(path)
    return path


@pytest.fixture
def photo():
    return scene(1)[0]  # (48, 64, 3)


@pytest.fixture
def shape(photo):
    inside = np.zeros(photo.shape[:2], bool)
    inside[10:30, 20:50] = True
    return inside


@pytest.mark.parametrize("fix", [False, True])
def test_the_alpha_of_a_cut_out_is_the_mask(tmp_path, photo, shape, fix):
    noise = np.random.default_rng(0).integers(0, 256, photo.shape, dtype=np.uint8)
    for rgb in (noise, np.zeros_like(noise), np.zeros_like(noise) + np.array([250, 30, 90], np.uint8)):
        mask = read_mask(saved(cut_out(rgb, shape * 255), tmp_path), fix_mask=fix)
        np.testing.assert_array_equal(mask.ids, shape)
        notes = list(texts(mask))
        assert notes[-1] == "it is a cut-out, so its transparency is the mask: 600 opaque pixels are object 1"
        assert notes[:-1] == (["transparent is background, opaque is object 1"] if fix else [])


def test_a_grey_cut_out(tmp_path, shape):
    grey = np.random.default_rng(0).integers(0, 256, shape.shape)
    path = saved(np.dstack([grey, shape * 255]).astype(np.uint8), tmp_path)
    with Image.open(path) as image:
        assert image.mode == "LA"
    mask = read_mask(path)
    np.testing.assert_array_equal(mask.ids, shape)
    assert "cut-out" in told(mask)


def test_soft_alpha_is_thresholded_at_half(tmp_path, shape):
    noise = np.random.default_rng(0).integers(0, 256, (*shape.shape, 3))
    alpha = shape * 255
    alpha[10, 20:50], alpha[29, 20:50] = 127, 128
    expected = shape.copy()
    expected[10] = False
    mask = read_mask(saved(cut_out(noise, alpha), tmp_path))
    np.testing.assert_array_equal(mask.ids, expected)
    assert "570 opaque pixels are object 1" in told(mask)
    assert "60 half-transparent pixels became transparent or opaque, whichever was nearer" in told(mask)


def test_soft_edges_of_painted_ids_keep_their_ids(tmp_path, shape):
    alpha = shape * 255
    alpha[10, 20:50] = 200
    rgb = np.zeros((*shape.shape, 3)) + np.array([0, 128, 0])  # id 2 of the DAVIS palette
    mask = read_mask(saved(cut_out(rgb, alpha), tmp_path))
    np.testing.assert_array_equal(mask.ids, shape * 2)
    assert "30 half-transparent pixels" in told(mask)
    assert "cut-out" not in told(mask)


def test_several_painted_colours_are_no_cut_out(tmp_path, shape):
    rgb = np.zeros((*shape.shape, 3)) + np.array([255, 0, 0])
    rgb[:, 40:] = [0, 0, 255]
    with pytest.raises(MaskError, match=r"is RGB with 3 colours.*--fix-mask"):
        read_mask(saved(cut_out(rgb, shape * 255), tmp_path))


def test_nothing_is_opaque(tmp_path, photo, shape):
    with pytest.raises(MaskError, match=r"mask\.png is nowhere more than half opaque: alpha reaches 100 of 255"):
        read_mask(saved(cut_out(photo, shape * 100), tmp_path))
    assert read_mask(saved(cut_out(photo, shape * 0), tmp_path)).object_ids == ()


def test_an_opaque_photograph_is_no_mask(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (48, 64, 3))
    with pytest.raises(MaskError, match="is RGB with"):
        read_mask(saved(cut_out(noise, np.full((48, 64), 255)), tmp_path))


def test_fixed_masks_say_what_became_of_every_value(tmp_path, shape, caplog):
    rgb = np.zeros((*shape.shape, 3), np.uint8)
    rgb[shape] = [240, 10, 5]
    for name in ("00000.png", "00002.png"):
        saved(rgb, tmp_path, name)
    read_masks(tmp_path, None, reading=MaskReading(fix=True))
    mapping = "(0,0,0) is background, (240,10,5) is object 1."
    assert f"{tmp_path / '00000.png'} and 1 other mask: {mapping}" in caplog.text
    assert caplog.text.count("is background") == 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 255], "0 is background, 255 is object 1"),
        ([0, 7], "0 is background, 7 is object 7"),
        ([0, 65535], "0 is background, 255 is object 1"),
        ([0, 300], "0 is background, 300 is object 1"),
    ],
)
def test_values_that_need_no_repair_are_listed_too(tmp_path, shape, values, expected):
    array = np.where(shape, values[1], values[0]).astype(np.uint16 if values[1] > 255 else np.uint8)
    assert told(read_mask(saved(array, tmp_path), fix_mask=True)) == expected


def test_values_along_edges_are_counted(tmp_path, shape):
    soft = shape * 90
    soft[9, 20:50] = np.arange(30) + 20
    fixed = read_mask(saved(soft.astype(np.uint8), tmp_path), fix_mask=True)
    assert fixed.object_ids == (90,)
    assert told(fixed) == (
        "0 is background, 90 is object 90; 30 other values, along edges, became the nearest of these"
    )


@pytest.mark.parametrize("name", ["cutout_rgba.png", "white_alpha.png", "alpha_LA.png", "bw_rgba.png"])
def test_cases_of_one_object(cases, name):
    truth = np.load(cases / "masks" / "ids.npy")
    mask = read_mask(cases / "masks" / name)
    np.testing.assert_array_equal(mask.ids, truth == 1)
    assert ("cut-out" in told(mask)) == (name == "cutout_rgba.png")
