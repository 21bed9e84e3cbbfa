"""Images as Python callers have them: every accepted kind gives the same pixels, the rest is refused in plain words."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from cyclevos.errors import VideoError
from cyclevos.media.given_images import rgb_image

RNG = np.random.default_rng(7)
PIXELS = RNG.integers(0, 256, (6, 9, 3), np.uint8)
GREY = PIXELS[..., 0]


@pytest.mark.parametrize(
    "image",
    [
        PIXELS,
        np.asfortranarray(PIXELS),
        PIXELS[::-1][::-1],
        PIXELS.transpose(2, 0, 1),
        PIXELS.astype(np.float32) / 255,
        PIXELS / 255,
        torch.from_numpy(PIXELS),
        torch.from_numpy(PIXELS).permute(2, 0, 1),
        (torch.from_numpy(PIXELS).permute(2, 0, 1).float() / 255).requires_grad_(),
        Image.fromarray(PIXELS),
        Image.fromarray(np.dstack([PIXELS, np.full(GREY.shape, 255, np.uint8)])),
    ],
    ids=lambda image: f"{type(image).__name__}-{getattr(image, 'dtype', '')}-{getattr(image, 'shape', '')}",
)
def test_every_kind_of_image_gives_the_same_pixels(image):
    pixels = rgb_image(image)
    assert pixels.dtype == np.uint8
    np.testing.assert_array_equal(pixels, PIXELS)


@pytest.mark.parametrize(
    "image", [GREY, GREY[..., None], torch.from_numpy(GREY)[None], GREY / 255, Image.fromarray(GREY)]
)
def test_grey_images_have_three_equal_channels(image):
    np.testing.assert_array_equal(rgb_image(image), np.repeat(GREY[..., None], 3, axis=2))


def test_a_shape_that_can_be_read_in_two_ways_has_its_channels_last():
    image = RNG.integers(0, 256, (3, 5, 3), np.uint8)
    np.testing.assert_array_equal(rgb_image(image), image)


def test_half_precision_is_rounded_to_the_nearest_byte():
    np.testing.assert_array_equal(rgb_image((torch.from_numpy(PIXELS) / 255).half()), PIXELS)
    assert rgb_image(torch.ones(2, 2, 3, dtype=torch.bfloat16)).min() == 255


def test_a_pillow_image_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees to the right
    Image.fromarray(PIXELS).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        np.testing.assert_array_equal(rgb_image(image), np.rot90(PIXELS, -1))
    np.testing.assert_array_equal(rgb_image(tmp_path / "turned.png"), np.rot90(PIXELS, -1))


@pytest.mark.parametrize(
    ("image", "problem", "remedy"),
    [
        (None, "Image 12 is None, so reading frame 12 has failed", "Check that its file exists"),
        ("nowhere.jpg", r"Image 12 cannot be read: nowhere.jpg \(FileNotFoundError", "Check the path"),
        (np.zeros((4, 5, 4), np.uint8), r"shape \(4, 5, 4\)", r"image\[..., :3\]"),
        (np.zeros((4, 5, 6), np.uint8), r"shape \(4, 5, 6\)", r"image\[:3\]"),
        (np.zeros((1, 4, 5, 3), np.uint8), r"shape \(1, 4, 5, 3\)", r"image\[0\]"),
        (np.zeros((0, 5, 3), np.uint8), "at least one pixel", "no pixels"),
        (np.full((4, 5, 3), 200.0), "float64 with values from 200 to 200", "Divide it by 255"),
        (np.full((4, 5, 3), -1.5), "values from -1.5 to -1.5", r"image \* std \+ mean"),
        (np.full((4, 5, 3), np.nan), "values from nan to nan", "not finite"),
        (np.full((4, 5, 3), 9000, np.uint16), "dtype uint16 with values from 9000 to 9000", "257"),
        (np.zeros((4, 5, 3), bool), "dtype bool", "mask"),
        (Image.new("F", (5, 4)), "Pillow image of mode F", r'convert\("RGB"\)'),
        (b"bytes", "Image 12 is bytes", "NumPy array"),
        (object(), "Image 12 is object", "NumPy array"),
    ],
)
def test_what_is_no_image_is_named_with_a_way_out(image, problem, remedy):
    with pytest.raises(VideoError, match=problem) as raised:
        rgb_image(image, 12)
    assert re.search(remedy, raised.value.remedy)


def test_a_frame_of_pyav_is_told_how_to_become_an_array():
    av = pytest.importorskip("av")
    with pytest.raises(VideoError, match=r'is VideoFrame; .*to_ndarray\(format="rgb24"\)'):
        rgb_image(av.VideoFrame(16, 16, "rgb24"))


# Anything at all

DTYPES = st.one_of(
    hnp.boolean_dtypes(),
    hnp.integer_dtypes(),
    hnp.unsigned_integer_dtypes(),
    hnp.floating_dtypes(sizes=(16, 32, 64)),
    hnp.complex_number_dtypes(),
    st.just(np.dtype("U3")),
    st.just(np.dtype("M8[s]")),
)
ARRAYS = DTYPES.flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=5))
)
THINGS = st.recursive(
    st.one_of(ARRAYS, st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.binary(max_size=5)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@given(THINGS)
@settings(max_examples=60, deadline=None)
def test_anything_is_an_image_or_refused(thing):
    try:
        image = rgb_image(thing)
    except VideoError:
        return
    assert image.dtype == np.uint8
    assert image.ndim == 3
    assert image.shape[2] == 3
    assert image.size
