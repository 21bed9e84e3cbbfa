"""The mask of a frame from the prompts of its objects: who gets a pixel, what is repaired, what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from prompters import SquarePrompter

from cyclevos.errors import MaskError, PromptError
from cyclevos.prompts.given import frame_mask, without_pixels
from cyclevos.prompts.loading import load_prompter
from cyclevos.prompts.prompts import Box, Click, Prompts

IMAGE = np.full((24, 40, 3), 90, np.uint8)


def on(*pixels: tuple[float, float]) -> tuple[Click, ...]:
    return tuple(Click(x, y) for x, y in pixels)


def beside(*pixels: tuple[float, float]) -> tuple[Click, ...]:
    return tuple(Click(x, y, False) for x, y in pixels)


class Shares(SquarePrompter):
    """Gives each object, in the order in which it is asked, a probability of its own."""

    def __init__(self, *probabilities: float) -> None:
        super().__init__(half=6)
        self.probabilities = list(probabilities)

    def __call__(self, *arguments, **named):
        self.probability = self.probabilities.pop(0)
        return super().__call__(*arguments, **named)


def test_one_object_is_where_its_probability_exceeds_one_half():
    ids = frame_mask(SquarePrompter(half=3), IMAGE, {4: Prompts(on((10, 8)))})
    expected = np.zeros((24, 40), np.uint8)
    expected[5:11, 7:13] = 4
    assert ids.dtype == np.uint8
    np.testing.assert_array_equal(ids, expected)


@pytest.mark.parametrize(("first", "second"), [(0.8, 0.9), (0.9, 0.8)])
def test_a_pixel_that_two_claim_goes_to_the_more_probable_one(first, second):
    ids = frame_mask(Shares(first, second), IMAGE, {1: Prompts(on((10, 10))), 2: Prompts(on((14, 10)))})
    assert ids[10, 12] == (1 if first > second else 2)
    assert ids[10, 10] == 1, "a clicked pixel is the clicked object's, however probable the other is"
    assert ids[10, 14] == 2


def test_a_click_on_one_object_is_beside_the_others():
    asked = []

    class Asked(SquarePrompter):
        def __call__(self, image, points=(), labels=None, box=None, mask=None):
            asked.append((list(points), list(labels), box))
            return super().__call__(image, points, labels, box, mask)

    second, third = Prompts(on((30, 10)) + beside((20, 3))), Prompts((), Box(0, 0, 9, 9))
    prompts = {1: Prompts(on((10, 10), (11, 10))), 2: second, 3: third}
    frame_mask(Asked(half=3), IMAGE, prompts)
    assert asked == [
        ([(10, 10), (11, 10), (30, 10)], [1, 1, 0], None),
        ([(30, 10), (20, 3), (10, 10)], [1, 0, 0], None),
        ([(10, 10), (30, 10)], [0, 0], Box(0, 0, 9, 9)),
    ]


def test_every_click_of_a_stroke_belongs_to_its_object():
    stroke = [(x, 12) for x in range(40)]  # from border to border
    ids = frame_mask(Shares(0.7, 0.99), IMAGE, {1: Prompts(on(*stroke)), 2: Prompts((), Box(0, 0, 40, 24))})
    assert (ids[12] == 1).all()
    assert (ids[[11, 13]] == 2).any()


def test_a_given_mask_is_repaired_and_the_others_keep_their_pixels():
    given = np.zeros((24, 40), np.uint8)
    given[2:10, 2:10], given[2:10, 10:20] = 1, 7
    prompter = SquarePrompter()
    ids = frame_mask(
        prompter, IMAGE, {1: Prompts((*on((30, 20)), *beside((3, 3)))), 2: Prompts((), Box(8, 0, 14, 24))}, given
    )
    np.testing.assert_array_equal(prompter.asked[0]["mask"], given == 1)
    assert prompter.asked[1]["mask"] is None, "object 2 has no mask there"
    assert ids[3, 3] == 0
    assert ids[20, 30] == 1
    assert ids[5, 5] == 1
    assert ids[4, 12] == 7, "the box of another object takes no pixel of a mask that was given"
    assert ids[12, 9] == 2


def test_a_click_takes_a_pixel_from_a_given_mask():
    given = np.full((24, 40), 7, np.uint8)
    ids = frame_mask(SquarePrompter(), IMAGE, {1: Prompts(on((5, 6)))}, given)
    assert ids[6, 5] == 1
    assert (ids == 7).sum() == 24 * 40 - 1


def test_objects_of_which_nothing_is_found_but_the_clicks_are_named():
    prompts = {1: Prompts((), Box(0, 0, 5, 5)), 2: Prompts(on((9, 9)))}
    ids = frame_mask(SquarePrompter(half=0), IMAGE, prompts)
    assert without_pixels(ids, prompts) == [1, 2]
    ids[10, 9] = 2
    assert without_pixels(ids, prompts) == [1]


def test_one_pixel_clicked_for_two_objects_is_refused():
    with pytest.raises(PromptError, match="The pixel 9,8 is clicked for objects 1, 2"):
        frame_mask(SquarePrompter(), IMAGE, {1: Prompts(on((9, 8))), 2: Prompts(on((9.5, 8.5)))})


def test_only_clicks_beside_an_object_without_a_mask_are_refused():
    with pytest.raises(PromptError, match="Object 3 has only points beside it"):
        frame_mask(SquarePrompter(), IMAGE, {3: Prompts(beside((9, 8)))})
    given = np.full((24, 40), 3, np.uint8)
    assert frame_mask(SquarePrompter(), IMAGE, {3: Prompts(beside((9, 8)))}, given)[8, 9] == 0


def test_points_outside_are_refused_before_the_prompter_is_asked():
    prompter = SquarePrompter()
    for x, y in ((40, 3), (3, 24), (-0.5, 3)):
        with pytest.raises(PromptError, match="lies outside the picture of 40x24"):
            frame_mask(prompter, IMAGE, {1: Prompts(on((5, 5))), 2: Prompts(on((x, y)))})
    assert not prompter.asked


def test_a_mask_of_another_size_is_refused():
    with pytest.raises(MaskError, match="20x12 but the frame is 40x24"):
        frame_mask(SquarePrompter(), IMAGE, {1: Prompts(on((5, 5)))}, np.zeros((12, 20), np.uint8))


@pytest.mark.parametrize("size", [(24, 40), (8, 8), (9, 300)])
def test_the_packaged_prompter_keeps_the_promise_for_points_on_every_border(size):
    height, width = size
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), np.uint8)
    corners = [(0, 0), (width - 1, 0), (0, height - 1), (width - 0.01, height - 0.01)]
    ids = frame_mask(
        load_prompter(dtype="float32"), image, {1: Prompts(on(*corners[:2])), 2: Prompts(on(*corners[2:]))}
    )
    assert ids[0, 0] == ids[0, -1] == 1
    assert ids[-1, 0] == ids[-1, -1] == 2
