"""Prompts as Python callers write them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cyclevos.errors import PromptError
from cyclevos.prompts.prompts import Box, Click, Prompts
from cyclevos.prompts.python_prompts import read_video_prompts

CLICK = Prompts((Click(4, 2),))
BOX = Prompts((), Box(1, 2, 3, 4))


@pytest.mark.parametrize(
    "given",
    [
        {0: {1: CLICK}},
        {0: CLICK},
        CLICK,
        {"points": [(4, 2)]},
        [{"points": [(4, 2)], "labels": None, "box": None}],
        {0: [{"points": np.array([[4, 2]])}]},
        {np.int64(0): {np.uint8(1): {"points": torch.tensor([[4.0, 2.0]]), "labels": torch.tensor([1])}}},
    ],
)
def test_a_click_on_object_1_of_frame_0(given):
    assert read_video_prompts(given) == {0: {1: CLICK}}


def test_a_list_numbers_the_objects_and_frames_come_in_order():
    read = read_video_prompts({7: {9: BOX, 2: CLICK}, 3: [CLICK, {"box": (1, 2, 3, 4)}]})
    assert read == {3: {1: CLICK, 2: BOX}, 7: {2: CLICK, 9: BOX}}
    assert [list(read), list(read[7])] == [[3, 7], [2, 9]]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({}, "There are no prompts"),
        ({0: {}}, "hold neither a point nor a box"),
        ({0: {1: {"points": []}}}, "object 1 of frame 0 hold neither"),
        ({-1: CLICK}, "-1 is a key of the prompts; expected frame indices"),
        ({True: CLICK}, "True is a key"),
        ({0: {0: CLICK}}, "expected object ids from 1 to 255"),
        ({0: {256: CLICK}}, "expected object ids from 1 to 255"),
        ({0: {"car": CLICK}}, "'car'; expected points, labels, box"),
        ({"point": [(4, 2)]}, "'point'; expected points, labels, box"),
        ({0: {1: [(4, 2)]}}, "object 1 in frame 0 is list"),
        ({0: "4,2"}, "frame 0 are str"),
        (5, "frame 0 are int"),
        ({0: {1: {"points": [(4, "x")]}}}, "expected 2 numbers"),
        ({0: {1: {"points": [(4, 2)], "labels": [2]}}}, "expected 1 or 0"),
        ({0: [None]}, "object 1 in frame 0 is NoneType"),
        ({0: [CLICK] * 256}, "256 is a key"),
    ],
)
def test_what_is_refused_is_named(given, text):
    with pytest.raises(PromptError) as refused:
        read_video_prompts(given)
    assert text in str(refused.value)
