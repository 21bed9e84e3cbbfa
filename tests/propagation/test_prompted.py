"""`cyclevos.segment(prompts=)`: the same masks whether frames are read in any order or come past once."""

from __future__ import annotations

import numpy as np
import pytest
from prompters import SquarePrompter

import cyclevos
from cyclevos.errors import MaskError, PromptError, VideoError
from cyclevos.prompts import loading

CLICK = {"points": [(8, 11)]}


@pytest.fixture
def prompter() -> SquarePrompter:
    return SquarePrompter(half=4)


def run(network, frames, prompter, *masks, **options):
    return list(cyclevos.segment(network, frames, *masks, prompter=prompter, size=None, **options))


def at(row: int, column: int, object_id: int = 1) -> np.ndarray:
    ids = np.zeros((24, 40), np.uint8)
    ids[row - 4 : row + 4, column - 4 : column + 4] = object_id
    return ids


def test_a_click_and_its_mask_give_the_same_predictions(lively_network, images, prompter):
    pointed = run(lively_network, images, prompter, prompts={0: {1: CLICK}})
    given = list(cyclevos.segment(lively_network, images, at(11, 8), size=None))
    assert len(pointed) == 10
    for a, b in zip(pointed, given, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
        assert (a.all_ids, a.object_ids) == (b.all_ids, b.object_ids)


PROMPTS = {0: {2: CLICK}, 4: {7: {"box": (20, 4, 30, 9)}, 2: {"points": [(22, 20), (1, 1)], "labels": [1, 0]}}}


@pytest.mark.parametrize("kind", ["generator", "stack", "iterator without length"])
def test_frames_that_come_past_once_get_the_same_masks(lively_network, images, prompter, kind):
    frames = {"generator": (image for image in images), "stack": np.stack(images)}.get(kind, iter(images))
    expected = run(lively_network, images, SquarePrompter(half=4), prompts=PROMPTS)
    found = run(lively_network, frames, prompter, prompts=PROMPTS)
    assert [p.index for p in found] == list(range(10))
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)
    assert found[0].all_ids == (2, 7)
    assert (found[4].ids[4:9, 20:30] == 7).all()


def test_a_generator_is_read_no_further_than_needed(lively_network, images, prompter):
    read = []

    def camera():
        for index, image in enumerate(images):
            read.append(index)
            yield image

    predictions = cyclevos.segment(lively_network, camera(), prompts=PROMPTS, prompter=prompter, size=None)
    assert (read, prompter.asked) == ([], [])
    next(predictions)
    assert len(prompter.asked) == 1
    assert max(read) <= 1


def test_prompts_repair_a_mask_of_their_frame(lively_network, images, prompter, square):
    for frames in (images, iter(images)):
        found = run(
            lively_network, frames, prompter, {0: square}, prompts={0: {1: {"points": [(4, 7)], "labels": [0]}}}
        )
        expected = square.copy()
        expected[7, 4] = 0
        np.testing.assert_array_equal(found[0].ids, expected)


@pytest.mark.parametrize("direction", ["backward", "both"])
def test_directions(lively_network, images, prompter, direction):
    found = {p.index: p.ids for p in run(lively_network, images, prompter, prompts={5: CLICK}, direction=direction)}
    np.testing.assert_array_equal(found[5], at(11, 8))
    assert found[2].any()
    assert found.keys() == set(range(10))


def test_a_name_loads_the_prompter(lively_network, images, prompter, monkeypatch):
    names = []
    monkeypatch.setattr("cyclevos.propagation.prompted.load_prompter", lambda name: names.append(name) or prompter)
    run(lively_network, images[:1], "default", prompts=CLICK)
    assert names == ["default"]


def test_a_mask_from_a_prompter_is_added_to_a_propagator(lively_network, images):
    prompter = loading.load_prompter(dtype="float32")
    propagator = cyclevos.Propagator(lively_network, size=None)
    p = propagator.add_mask(0, images[0], "square", prompter(images[0], points=[(8, 11)]) > 0.5)
    assert p.ids[11, 8] == 1


@pytest.mark.parametrize(
    ("prompts", "error", "text"),
    [
        (None, MaskError, "neither masks nor prompts"),
        ({10: CLICK}, PromptError, r"frames \[10\], but the video ends with frame 9"),
        ({0: {"points": [(40, 3)]}}, PromptError, "lies outside"),
        ({0: {"points": [(4, 3)], "labels": [0]}}, PromptError, "only points beside it"),
        ({0: {1: CLICK, 2: CLICK}}, PromptError, "clicked for objects 1, 2"),
    ],
)
def test_what_is_wrong_is_said_at_once(lively_network, images, prompter, prompts, error, text):
    with pytest.raises(error, match=text):
        cyclevos.segment(lively_network, images, prompts=prompts, prompter=prompter, size=None)


def test_what_cannot_be_known_before_is_said_when_it_is_reached(lively_network, images, prompter):
    predictions = cyclevos.segment(
        lively_network, iter(images), prompts={0: CLICK, 12: CLICK}, prompter=prompter, size=None
    )
    with pytest.raises(PromptError, match=r"frames \[12\], but the video ends with frame 9"):
        list(predictions)
    with pytest.raises(VideoError, match="Going backward needs frames"):
        run(lively_network, iter(images), prompter, prompts=CLICK, direction="backward")


def test_nothing_found_is_an_error_or_a_warning(lively_network, images, caplog):
    blind, box = SquarePrompter(half=0), {"box": (1, 1, 9, 9)}
    with pytest.raises(PromptError, match="found no object in any frame"):
        run(lively_network, images, blind, prompts=box)
    caplog.clear()
    run(lively_network, images, blind, prompts={0: {1: CLICK}, 3: {4: box}})
    assert "The prompts of object 4 in frame 3 found nothing" in caplog.text
