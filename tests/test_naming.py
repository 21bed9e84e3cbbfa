"""Names of frames: one order for the whole program, and which frame a mask belongs to."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cyclevos.errors import DatasetError, MaskError, VideoError
from cyclevos.naming import (
    by_frame_name,
    list_frames,
    list_given_masks,
    list_images,
    list_masks,
    natural_key,
)

NEEDS_FIFO = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
TEXT = st.text(st.sampled_from("aAbB019_-. \u00b2\u0663"), max_size=6)


@given(TEXT, TEXT)
def test_the_order_is_total(one, other):
    assert (natural_key(one) == natural_key(other)) == (one == other)
    assert (natural_key(one) < natural_key(other)) == (natural_key(other) > natural_key(one))


def test_numbers_by_value_letters_without_case_and_ties_by_the_exact_name():
    names = [f"frame{10**40}", "frame\u00b2", "frame2", "frame10", "frame1", "frame01", "Frame1", "b1"]
    expected = ["b1", "Frame1", "frame01", "frame1", "frame2", "frame10", f"frame{10**40}", "frame\u00b2"]
    assert sorted(names, key=natural_key) == expected


def test_frames_and_masks_of_a_folder(tmp_path):
    for name in ("10.tif", "2.JPG", "a.PNG", "B.png", ".c.png", "notes.txt", "3.webp"):
        (tmp_path / name).touch()
    assert [file.name for file in list_frames(tmp_path)] == ["2.JPG", "3.webp", "10.tif", "a.PNG", "B.png"]
    assert [file.name for file in list_masks(tmp_path)] == ["a.PNG", "B.png"]


def test_a_mask_that_is_a_broken_link_is_never_left_out(tmp_path):
    (tmp_path / "1.png").touch()
    (tmp_path / "3.png").mkdir()  # a folder of masks may have any name
    assert [file.name for file in list_masks(tmp_path)] == ["1.png"]
    (tmp_path / "2.png").symlink_to("gone.png")
    for error in (MaskError, DatasetError):
        with pytest.raises(error, match=r"2\.png is named like a mask, but it is a link to gone\.png"):
            list_masks(tmp_path, error)


def _link_to_nothing(path):
    path.symlink_to("gone.jpg")


def _forbid(path):
    path.touch()
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (Path.mkdir, "is a folder"),
        (_link_to_nothing, r"is a link to gone\.jpg, which does not exist"),
        (_forbid, "may not be read"),
        pytest.param(lambda path: os.mkfifo(path), "is not a file", marks=NEEDS_FIFO),
    ],
)
def test_what_is_named_like_a_frame_and_cannot_be_read_is_never_left_out(tmp_path, make, why):
    for name in ("1.jpg", "3.jpg"):
        (tmp_path / name).touch()
    make(tmp_path / "2.jpg")
    for listed, error in [(list_images, VideoError), (lambda folder: list_frames(folder, DatasetError), DatasetError)]:
        with pytest.raises(error, match=rf"2\.jpg is named like a frame, but it {why}"):
            listed(tmp_path)


def test_a_link_to_a_frame_is_a_frame(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "7.jpg").touch()
    (tmp_path / "1.jpg").symlink_to(tmp_path / "a" / "7.jpg")
    assert [file.name for file in list_frames(tmp_path)] == ["1.jpg"]


def test_two_files_of_one_frame_are_refused_by_name(tmp_path):
    for name in ("7.jpg", "7.png"):
        (tmp_path / name).touch()
    with pytest.raises(VideoError, match=r"7\.jpg and 7\.png are both frame '7'"):
        list_images(tmp_path)
    with pytest.raises(DatasetError, match=r"7\.jpg and 7\.png"):
        by_frame_name(list_frames(tmp_path), DatasetError)


def test_given_masks_are_of_one_kind_and_are_not_what_was_annotated(tmp_path):
    for name in ("b.tif", "a.TIFF", "c.jpg", ".d.tif"):
        (tmp_path / name).touch()
    assert [file.name for file in list_given_masks(tmp_path)] == ["a.TIFF", "b.tif"]
    (tmp_path / "2.png").touch()
    (tmp_path / "1.PNG").touch()
    assert [file.name for file in list_given_masks(tmp_path)] == ["1.PNG", "2.png"]
    (tmp_path / "2.png.json").touch()
    assert [file.name for file in list_given_masks(tmp_path)] == ["a.TIFF", "b.tif"], "1.PNG is not annotated yet"
