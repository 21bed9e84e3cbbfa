"""Masks that are probably not what was meant are read, with a warning that says why."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cyclevos.pictures.mask_files import MaskImage, read_mask
from cyclevos.pictures.mask_notes import by_file, texts
from cyclevos.pictures.palette import DAVIS_PALETTE

WHITE_FIRST = bytes([255, 255, 255, 0, 0, 0]) + DAVIS_PALETTE[6:]


def mask_of(share, object_id=1, palette=None):
    ids = np.zeros((10, 10), np.uint8)
    ids.ravel()[: round(100 * share)] = object_id
    return MaskImage(ids, palette)


@pytest.mark.parametrize(("share", "doubted"), [(0.5, False), (0.9, False), (0.91, True), (1, True)])
def test_an_object_over_most_of_the_frame(share, doubted):
    found = list(texts(mask_of(share, 4)))
    assert bool(found) == doubted
    if doubted:
        assert found[0].startswith("object 4 covers more than 90% of the frame")


def test_no_background():
    mask = mask_of(0.5)
    mask.ids[mask.ids == 0] = 2
    mask.ids[0, 0] = 2
    (found,) = texts(mask)
    assert found.startswith("no pixel is background, which is 0, and object 2 is the largest")


def test_a_light_0_and_a_dark_1_name_both_readings():
    (found,) = texts(mask_of(0.95, palette=WHITE_FIRST))
    assert "the light 5.0% of the frame are background and the dark 95.0% are object 1" in found
    assert "exchange indices 0 and 1" in found


@pytest.mark.parametrize("palette", [DAVIS_PALETTE, None, bytes([255] * 6) + DAVIS_PALETTE[6:]])
def test_other_palettes_are_not_doubted(palette):
    assert not list(texts(mask_of(0.5, palette=palette)))


def test_more_objects_than_one_are_no_black_and_white_picture():
    mask = mask_of(0.5, palette=WHITE_FIRST)
    mask.ids[-1] = 2
    assert not list(texts(mask))


def test_each_text_comes_once_with_its_files():
    files = [Path(f"{index}.png") for index in range(3)]
    masks = [mask_of(0.95), mask_of(0.5), mask_of(0.97)]
    (found,) = by_file(zip(files, masks, strict=True))
    assert found.startswith("0.png and 1 other mask: object 1 covers")


@pytest.mark.parametrize(("name", "text"), [("gimp_reordered.png", "index 0 is light"), ("inverted.png", "covers")])
def test_cases(cases, name, text):
    truth = np.load(cases / "masks" / "ids.npy")
    mask = read_mask(cases / "masks" / name)
    np.testing.assert_array_equal(mask.ids, truth != 1)
    (found,) = texts(mask)
    assert text in found
