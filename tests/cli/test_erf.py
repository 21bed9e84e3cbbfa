"""`cyclevos erf` as a user calls it."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image


@pytest.fixture
def erf(call, clip, mask, weights, tmp_path):
    def run(*options):
        base = ("--masks", mask, "--output", tmp_path / "out", "--weights", weights, "--size", "none")
        return call("erf", clip, *base, "--steps", "2", "--quiet", *options)

    return run


def test_pictures_arrays_and_a_strip(erf, tmp_path, images, ids):
    answer = erf("--frame", "4", "--strip", "2")
    assert answer.code == 0, answer.err
    assert "objects 2, 7 of frame 0 in frame 4" in answer.out
    names = ["erf_00004.npz", *(f"{kind}_00004_object{i}.png" for kind in ("erf", "strip") for i in (2, 7))]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(names)
    with np.load(tmp_path / "out" / "erf_00004.npz") as stored:
        assert stored["field"].shape == (2, *ids.shape)
        assert stored["object_ids"].tolist() == [2, 7]
        hottest = np.unravel_index(stored["field"][1].argmax(), ids.shape)
    picture = np.array(Image.open(tmp_path / "out" / "erf_00004_object7.png"))
    assert picture.shape == images[0].shape
    assert not np.array_equal(picture[hottest], (images[4][hottest] * 0.45).round().astype(np.uint8))


def test_masks_of_another_size_and_colours_are_repaired_when_asked(erf, tmp_path, ids):
    rgb = np.zeros((*ids.shape, 3), np.uint8)
    rgb[ids == 2], rgb[ids == 7] = (250, 20, 20), (20, 250, 20)
    Image.fromarray(rgb.repeat(2, 0).repeat(2, 1)).save(tmp_path / "large.png")
    options = ("--frame", "1", "--masks", tmp_path / "large.png")
    answer = erf(*options, "--fix-mask")
    assert answer.code == 4
    assert "use --fit-mask" in answer.err
    answer = erf(*options, "--fix-mask", "--fit-mask")
    assert answer.code == 0, answer.err
    assert len(list((tmp_path / "out").glob("erf_00001_object*.png"))) == 2


@pytest.mark.parametrize(
    ("options", "code", "text"),
    [
        (("--frame", "6"), 3, "no frame 6: the video has 6 frames"),
        (("--frame", "3", "--reference", "2"), 4, "no mask for frame 2; there are masks for 0"),
        (("--frame", "0"), 6, "is the reference frame itself"),
        (("--frame", "4", "--rate", "0"), 6, "rate is 0.0; expected a positive number"),
        (("--frame", "4", "--output", __file__), 7, "test_erf.py is a file. Expected a folder"),
        ((), 2, "--frame"),
    ],
)
def test_slips_are_named_before_the_work(erf, monkeypatch, options, code, text):
    monkeypatch.setattr("cyclevos.network.weights.load_network", None)
    answer = erf(*options)
    assert answer.code == code
    assert text in answer.err


def test_a_frame_past_the_end_of_a_video_that_does_not_tell_its_length(erf, monkeypatch):
    monkeypatch.setattr("cyclevos.network.weights.load_network", None)
    monkeypatch.setattr("cyclevos.media.image_folder.ImageFolder.len_hint", None)
    answer = erf("--frame", "9", "--strip", "9")
    assert answer.code == 3
    assert "no frame 9: the video ends before it" in answer.err
