"""Which frames are shown, and what can be seen on them."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image
from report_inputs import NASTY, save, squares

from cyclevos.analysis.report.measures import measure
from cyclevos.analysis.report.pictures import _window, galleries
from cyclevos.analysis.report.runs import read_runs


@pytest.fixture
def shown(dataset):
    def draw(folders, count=4):
        return {g.title: g.frames for g in galleries(measure(read_runs(folders), dataset, workers=1), count)}

    return draw


def test_the_worst_the_most_different_and_the_best_of_each_sequence(shown, make_run):
    first, second = make_run("first", {"ape": 2, NASTY: 1}), make_run("second", {"ape": 2, NASTY: 1})
    save(first / "ape" / "00003.png", squares([1], 3, 15))
    save(second / NASTY / "00002.png", squares([2, 7], 2, 3))
    save(second / NASTY / "00004.png", squares([2, 7], 4))
    found = shown([first, second])
    places = {title: [(each.sequence, each.frame) for each in frames] for title, frames in found.items()}
    assert places["Worst frames"] == [("ape", "00003"), (NASTY, "00002")]
    assert places["Where the runs differ most"] == [("ape", "00003"), (NASTY, "00002")]
    assert places["Best frames"][0][0] == NASTY
    worst = found["Worst frames"][0].pictures
    assert [round(each.score, 3) for each in worst] == [round(5 / 35, 3), round(18 / 22, 3)]
    assert [len(shown([first, second], count)) for count in (1, 0)] == [3, 0]


def test_equal_runs_differ_nowhere(shown, make_run):
    found = shown([make_run(name, {"ape": 2, NASTY: 0}) for name in ("a", "b")])
    assert set(found) == {"Worst frames", "Best frames"}


def test_the_mask_is_coloured_and_the_truth_outlined(shown, make_run):
    (frame, *_) = shown([make_run("run", {"ape": 20, NASTY: 0})])["Worst frames"]
    picture = np.array(Image.open(io.BytesIO(frame.pictures[0].jpeg))).astype(int)
    height, width = picture.shape[:2]
    assert (width, height) == (480, 288)
    red = (picture[..., 0] - picture[..., 1]) > 30
    white = picture.min(axis=-1) > 200
    # The truth is left of the mask, which begins where it ends.
    assert np.median(np.nonzero(white)[1]) < np.median(np.nonzero(red)[1])
    assert 0.9 < white.any(axis=0).sum() / red.any(axis=0).sum() < 1.1
    assert not red[:, : width // 2 - 30].any()


@pytest.mark.parametrize(
    ("box", "window"),
    [
        ((0, 0, 10, 10), (0, 0, 80, 40)),  # no smaller than 0.4 of the sides
        ((90, 190, 100, 200), (120, 60, 200, 100)),
        ((20, 60, 80, 140), (25, 12, 175, 88)),  # 0.6 of the height and a quarter more
        ((0, 0, 100, 200), (0, 0, 200, 100)),
    ],
)
def test_the_window_has_the_frames_proportions_and_holds_all(box, window):
    top, left, bottom, right = box
    mask = np.zeros((100, 200), bool)
    mask[top:bottom, left:right] = True
    found = _window(mask)
    assert np.allclose(found, window, atol=1)
    assert found[0] <= left
    assert right <= found[2]
    assert found[1] <= top
    assert bottom <= found[3]


def test_an_empty_frame_is_shown_whole():
    assert _window(np.zeros((10, 20), bool)) == (0, 0, 20, 10)
