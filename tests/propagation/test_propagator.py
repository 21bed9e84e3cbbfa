"""The propagator as people drive it: objects added and removed frame by frame, images and masks of any kind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from cyclevos import MaskError, Propagator, VideoError
from cyclevos.network.traits import MemoryPolicy

POLICY = MemoryPolicy(2, 6)


@pytest.fixture
def propagator(lively_network):
    return Propagator(lively_network, None, POLICY)


def test_by_default_it_works_as_the_network_likes_it(lively_network, images, square):
    propagator = Propagator(lively_network)
    assert propagator.policy == lively_network.traits.policy
    assert propagator.size == lively_network.traits.size
    np.testing.assert_array_equal(propagator.step(0, images[0], square).ids, square)


def test_steps_take_images_and_masks_of_any_kind(propagator, images, square):
    plain = propagator.fresh()
    for index, image in enumerate((Image.fromarray(images[0]), torch.from_numpy(images[1]).permute(2, 0, 1) / 255)):
        mask = torch.from_numpy(square > 0)[None] if index == 0 else None
        found = propagator.step(index, image, mask)
        expected = plain.advance(index, images[index], square if index == 0 else None)
        assert torch.equal(found.probabilities, expected.probabilities)
        np.testing.assert_array_equal(found.frame.image, images[index])


def test_objects_added_one_by_one_are_as_if_given_together(propagator, images, square, strip):
    together = propagator.fresh()
    together.step(0, images[0], square + strip)
    first = propagator.add_mask(0, images[0], 1, square > 0)
    assert first.object_ids == (1,)
    second = propagator.add_mask(0, images[0], 5, strip > 0)
    np.testing.assert_array_equal(second.ids, square + strip)
    for index in range(1, 5):
        found, expected = (each.step(index, images[index]) for each in (propagator, together))
        torch.testing.assert_close(found.probabilities, expected.probabilities, atol=1e-6, rtol=0)


def test_a_mask_that_is_added_takes_its_pixels_from_the_others(propagator, images, square):
    propagator.add_mask(0, images[0], 1, square > 0)
    upper = square.astype(bool) & (np.arange(24)[:, None] < 10)
    ids = propagator.add_mask(0, images[0], 2, upper).ids
    np.testing.assert_array_equal(ids, np.where(upper, 2, square))


def test_a_mask_that_is_added_again_replaces_the_first(propagator, images, square):
    right = propagator.fresh()
    right.add_mask(0, images[0], 1, square)
    propagator.add_mask(0, images[0], 1, np.roll(square, 15, axis=1))
    propagator.add_mask(0, images[0], 1, square)
    found, expected = (each.step(1, images[1]) for each in (propagator, right))
    torch.testing.assert_close(found.probabilities, expected.probabilities, atol=1e-6, rtol=0)


def test_objects_may_be_added_by_name_in_any_frame(propagator, images, square, strip):
    propagator.step(0, images[0], {"car": square})
    propagator.step(1, images[1])
    p = propagator.add_mask(2, images[2], "box", strip)
    assert p.names == {1: "car", 2: "box"}
    assert p.object_ids == (1, 2)
    again = propagator.add_mask(3, images[3], "car", square)
    assert again.object_ids == (1, 2)
    assert again.annotated


def test_a_new_name_takes_no_id_that_is_known_by_number(propagator, images, square, strip):
    propagator.step(0, images[0], square)
    assert propagator.add_mask(1, images[1], "box", strip).names == {2: "box"}


@pytest.mark.parametrize("gone", [1, "car"])
def test_an_object_is_removed_by_id_or_name(propagator, images, square, strip, gone):
    propagator.step(0, images[0], {"car": square, "box": strip})
    propagator.remove_object(gone)
    p = propagator.step(1, images[1])
    assert p.object_ids == (2,)
    assert p.names == {2: "box"}
    assert propagator.add_mask(1, images[1], "dog", square).names == {2: "box", 3: "dog"}, "no id is given twice"


def test_a_removed_object_does_not_come_back_with_the_next_mask_of_its_frame(propagator, images, square, strip):
    propagator.step(0, images[0], square + strip)
    propagator.remove_object(1)
    np.testing.assert_array_equal(propagator.add_mask(0, images[0], 5, strip).ids, strip)


def test_the_others_are_still_corrected_after_a_removal(lively_network, images, square, strip):
    from cyclevos import Correction

    how = Correction(steps=2, every=1, rate=500.0, apply_to="both", accept="consistent", reference="all")
    propagator = Propagator(lively_network, None, POLICY, how)
    propagator.announce(5, images[5], strip)
    for index in range(3):
        propagator.step(index, images[index], square + strip if index == 0 else None)
    propagator.remove_object(1)
    for index in range(3, 7):
        assert propagator.step(index, images[index], strip if index == 5 else None).object_ids == (5,)


def test_reset_forgets_everything_but_the_settings(propagator, images, square, strip):
    fresh = propagator.fresh()
    propagator.step(0, images[0], {"box": strip})
    propagator.step(1, images[1])
    propagator.reset()
    assert propagator.objects == ()
    smaller = [image[:20] for image in images]  # another video
    for index in range(3):
        found, expected = (
            each.step(index, smaller[index], square[:20] if index == 0 else None) for each in (propagator, fresh)
        )
        assert torch.equal(found.probabilities, expected.probabilities)
        assert found.reliability == expected.reliability
        assert found.names == {}


def test_a_snapshot_keeps_names_and_the_masks_given_last(propagator, images, square, strip):
    propagator.add_mask(0, images[0], "car", square)
    other = propagator.fresh()
    other.restore(propagator.snapshot())
    p = other.add_mask(0, images[0], "box", strip)
    assert p.names == {1: "car", 2: "box"}
    np.testing.assert_array_equal(p.ids, square + (strip > 0) * np.uint8(2))


def test_a_mask_of_0_and_255_is_object_1(propagator, images, square):
    assert propagator.step(0, images[0], square * np.uint8(255)).object_ids == (1,)


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda p, image, mask: p.step(image, mask), VideoError, "index of the frame is ndarray; expected an integer"),
        (lambda p, image, mask: p.add_mask(image, 0, 1, mask), VideoError, "index of the frame is ndarray"),
        (lambda p, image, mask: p.step(0, None), VideoError, "Image 0 is None"),
        (lambda p, image, mask: p.step(3, image, mask * 0.5), MaskError, "The mask of frame 3 is float64"),
        (lambda p, image, mask: p.step(0, image, mask[:9]), MaskError, r"has shape \(9, 40\)"),
        (
            lambda p, image, mask: p.add_mask(0, image, 0, mask),
            MaskError,
            "The object id is 0; expected a number",
        ),
        (lambda p, image, mask: p.add_mask(0, image, 256, mask), MaskError, "The object id is 256"),
        (lambda p, image, mask: p.add_mask(0, image, 1, mask * 0), MaskError, "has no pixel; .*remove_object"),
        (lambda p, image, mask: p.add_mask(0, image, 1, None), MaskError, "object 1 in frame 0 is None"),
        (lambda p, image, mask: p.remove_object(7), MaskError, "There is no object 7; known so far: no object"),
        (
            lambda p, image, mask: (p.step(0, image, {"car": mask}), p.remove_object("van")),
            MaskError,
            r"'van'.*1 \(car\)",
        ),
    ],
)
def test_mistakes_are_named(propagator, images, square, call, error, text):
    with pytest.raises(error, match=text):
        call(propagator, images[0], square)


def test_a_step_that_is_refused_leaves_no_trace(propagator, images, square):
    plain = propagator.fresh()
    with pytest.raises(MaskError):
        propagator.step(0, images[0], {"car": square[:9]})
    with pytest.raises(VideoError):
        propagator.step(0, None, square)
    found, expected = (each.step(0, images[0], square) for each in (propagator, plain))
    assert torch.equal(found.probabilities, expected.probabilities)
