import numpy as np
import pytest
import torch
from clips import scene

from cyclevos.errors import VideoError
from cyclevos.media.frames import Frame, frames_from_arrays


def test_arrays_are_taken_one_at_a_time():
    taken = []

    def images():
        for index, image in enumerate(scene(3)):
            taken.append(index)
            yield image

    frames = frames_from_arrays(images())
    assert not taken
    first = next(frames)
    assert isinstance(first, Frame)
    assert (first.index, first.name, first.time, first.size) == (0, "00000", None, (48, 64))
    assert taken == [0]
    assert [frame.index for frame in frames] == [1, 2]


def test_tensors_are_accepted():
    frames = list(frames_from_arrays(torch.zeros(2, 8, 8, 3, dtype=torch.uint8)))
    assert frames[1].image.dtype == np.uint8


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([], "No image was given"),
        ([np.zeros((4, 4, 3), np.uint8), None], "Image 1 is None, so reading frame 1 has failed"),
        (
            [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5, 3), np.uint8)],
            "00000 is 4x4 but 00001 is 5x4",
        ),
    ],
)
def test_what_is_no_image_is_refused(images, words):
    with pytest.raises(VideoError, match=words):
        list(frames_from_arrays(images))


def test_importing_the_package_stays_light():
    import subprocess
    import sys

    code = (
        "import sys, cyclevos.media.open_source, cyclevos.exchange.formats; "
        "print([m for m in ('torch', 'av', 'pycocotools') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"
