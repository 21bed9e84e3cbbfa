"""Sizes by hand, and resizing that keeps sums, areas and whatever memory layout a user's array has."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from cyclevos.errors import ConfigError
from cyclevos.geometry import (
    frame_tensor,
    grow_probabilities,
    network_size,
    resize_frame,
    shrink_probabilities,
)

sides = st.integers(1, 40)


@pytest.mark.parametrize(
    ("source", "shorter", "expected"),
    [
        ((480, 854), 240, (240, 427)),
        ((854, 480), 240, (427, 240)),
        ((480, 854), None, (480, 854)),
        ((8, 8), 16, (16, 16)),
        ((100, 300), 50, (50, 150)),
        ((10, 1000), 100, (17, 1732)),  # no more pixels than 100 x 300
    ],
)
def test_sizes_by_hand(source, shorter, expected):
    assert network_size(source, shorter) == expected


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 5000), st.integers(1, 5000), st.integers(16, 600))
def test_no_shape_takes_more_pixels_than_one_three_times_as_wide(height, width, shorter):
    h, w = network_size((height, width), shorter)
    assert h >= 1
    assert w >= 1
    assert h * w <= 3 * shorter**2 + h + w  # rounding adds half a row and column at most
    # Lying or standing, it is the same.
    assert network_size((width, height), shorter) == (w, h)


@pytest.mark.parametrize("shorter", [15, 0, -240])
def test_a_size_too_small_is_refused_by_value(shorter):
    with pytest.raises(ConfigError, match=f"size {shorter} is too small. Give a shorter side of 16"):
        network_size((480, 854), shorter)


@settings(max_examples=40, deadline=None)
@given(sides, sides, sides, sides)
def test_resizing_keeps_sums_of_one_and_goes_back(height, width, h, w):
    probabilities = torch.rand(3, height, width).softmax(dim=0)
    small = shrink_probabilities(probabilities, (h, w))
    assert small.shape == (3, h, w)
    torch.testing.assert_close(small.sum(dim=0), torch.ones(h, w))
    back = grow_probabilities(small, (height, width))
    assert back.shape == probabilities.shape
    torch.testing.assert_close(back.sum(dim=0), torch.ones(height, width))


def test_shrinking_keeps_an_objects_area():
    mask = torch.zeros(1, 64, 96)
    mask[:, 13:38, 21:64] = 1
    small = shrink_probabilities(mask, (16, 24))
    assert small.mean().item() == pytest.approx(mask.mean().item(), rel=0.02)


def test_a_single_pixel_is_not_lost_when_shrinking():
    mask = torch.zeros(1, 64, 64)
    mask[0, 31, 31] = 1
    assert shrink_probabilities(mask, (16, 16)).max() > 0.02


def test_growing_is_bilinear_by_hand():
    grown = grow_probabilities(torch.tensor([[[0.0, 1.0]]]), (1, 4))
    torch.testing.assert_close(grown, torch.tensor([[[0.0, 0.25, 0.75, 1.0]]]))


def test_frames_come_out_in_the_unit_range():
    frame = torch.tensor([0, 255, 51], dtype=torch.uint8).view(3, 1, 1).expand(3, 8, 8)
    same, smaller = resize_frame(frame, (8, 8)), resize_frame(frame, (4, 5))
    torch.testing.assert_close(same[:, 0, 0], torch.tensor([0, 1, 0.2]))
    assert smaller.shape == (3, 4, 5)
    assert smaller.dtype == torch.float32
    torch.testing.assert_close(smaller[:, 0, 0], torch.tensor([0, 1, 0.2]))


class BytesResized(TorchDispatchMode):
    """Refuses what only CPUs have: resizing of bytes."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        assert "upsample" not in function.name() or args[0].dtype != torch.uint8
        return function(*args, **(kwargs or {}))


def test_no_bytes_are_resized_off_the_cpu():
    with BytesResized():
        frame = resize_frame(torch.zeros(3, 8, 8, dtype=torch.uint8, device="meta"), (4, 5))
    assert frame.shape == (3, 4, 5)
    assert frame.dtype == torch.float32


@pytest.mark.parametrize("view", ["plain", "bgr", "mirrored", "sliced", "read-only"])
def test_every_memory_layout_becomes_the_same_tensor(view):
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    given_image = {
        "plain": image,
        "bgr": image[..., ::-1],
        "mirrored": image[:, ::-1],
        "sliced": image[::2, ::3],
        "read-only": np.frombuffer(image.tobytes(), np.uint8).reshape(4, 6, 3),
    }[view]
    np.testing.assert_array_equal(frame_tensor(given_image).permute(1, 2, 0).numpy(), given_image)


def test_an_ordinary_frame_is_not_copied():
    image = np.zeros((4, 6, 3), np.uint8)
    assert frame_tensor(image).data_ptr() == image.ctypes.data
