"""Videos as Python callers have them; OpenCV's order of channels, and what has no frames in an order."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from cyclevos.errors import VideoError
from cyclevos.media.frames import frames_from_arrays
from cyclevos.media.given_frames import bgr_frames, open_frames

RNG = np.random.default_rng(7)
PIXELS = RNG.integers(0, 256, (6, 9, 3), np.uint8)
GREY = PIXELS[..., 0]


class Reader:
    """Reads as cv2.VideoCapture does."""

    def __init__(self, images, opened=True):
        self._images, self._opened = iter(images), opened

    def isOpened(self):  # noqa: N802
        return self._opened

    def read(self):
        image = next(self._images, None)
        return image is not None, image


@pytest.mark.parametrize(
    ("frames", "text"),
    [
        (PIXELS, r"one image \(ndarray of shape \(6, 9, 3\)\)"),
        (torch.zeros(3, 6, 9), r"one image \(Tensor of shape \(3, 6, 9\)\)"),
        (GREY, "one image"),
        (Image.fromarray(PIXELS), r"one image \(Image\)"),
        (Reader([]), r"cyclevos.bgr_frames\(capture\)"),
        (None, "The frames are NoneType"),
        ({0: PIXELS}, "The frames are dict"),
        ({"a.png"}, "The frames are set"),
        (b"video.mp4", "The frames are bytes"),
        (7, "The frames are int; expected a path or an iterable of images"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_has_no_frames_in_an_order_is_refused(frames, text):
    with pytest.raises(VideoError, match=text):
        open_frames(frames)


def test_a_grey_video_is_an_array_of_three_dimensions():
    assert open_frames(np.zeros((12, 24, 40), np.uint8)).shape == (12, 24, 40)


# OpenCV


def test_opencvs_images_are_turned_into_rgb():
    for frames in (bgr_frames(Reader([PIXELS, GREY])), bgr_frames([PIXELS, GREY])):
        colour, grey = frames
        np.testing.assert_array_equal(colour, PIXELS[..., ::-1])
        np.testing.assert_array_equal(grey, GREY)


def test_a_reader_is_read_no_further_than_asked():
    read = []

    class Counting(Reader):
        def read(self):
            read.append(1)
            return super().read()

    frames = bgr_frames(Counting([PIXELS] * 5))
    next(frames)
    assert len(read) == 1


def test_a_failed_read_is_passed_on_and_refused_with_its_number():
    with pytest.raises(VideoError, match="Image 1 is None"):
        list(frames_from_arrays(bgr_frames([PIXELS, None])))


@pytest.mark.parametrize(
    ("images", "text"),
    [
        (Reader([], opened=False), "is not open: OpenCV found no video there"),
        ("video.mp4", "bgr_frames was given str"),
        (None, "bgr_frames was given NoneType"),
        ([Image.fromarray(PIXELS)], "Image 0 of bgr_frames is Image"),
        ([torch.from_numpy(PIXELS)], "Image 0 of bgr_frames is Tensor"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_what_opencv_has_not_read_is_refused(images, text):
    with pytest.raises(VideoError, match=text):
        list(bgr_frames(images))


def test_a_video_that_opencv_reads_has_the_colours_that_pyav_reads(tmp_path):
    cv2 = pytest.importorskip("cv2", reason="OpenCV is not installed")
    images = [np.full((32, 48, 3), (200, 40, 90), np.uint8)] * 3
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / f"{index:05d}.png")
    capture = cv2.VideoCapture(str(tmp_path / "%05d.png"))
    if not capture.isOpened():
        pytest.skip("this build of OpenCV reads no image sequences")
    frames = list(bgr_frames(capture))
    assert len(frames) == 3
    np.testing.assert_array_equal(frames[0], images[0])
    with pytest.raises(VideoError, match=r"\(VideoCapture\)"):
        open_frames(capture)


@pytest.mark.parametrize("image", [np.zeros((4, 5, 3), np.uint8), np.array(3)])
def test_one_image_of_opencv_is_not_taken_for_a_video_of_its_rows(image):
    with pytest.raises(VideoError, match="one image"):
        bgr_frames(image)
