"""Pruning: which pieces are suspects, which of them go, and where they go from."""

from __future__ import annotations

import logging

import numpy as np
import pytest
import torch
from families import build

import cyclevos
from cyclevos import Correction
from cyclevos.errors import ConfigError
from cyclevos.masks import ids_to_probabilities
from cyclevos.network.protocol import Segmentation
from cyclevos.network.traits import MemoryPolicy
from cyclevos.propagation.network_frame import NetworkFrame
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.pruning import Pruned, find_suspects, prune
from cyclevos.propagation.references import Reference

HEIGHT, WIDTH = 64, 160
RED, DARK, GREEN, BLUE, GREY = (220, 30, 30), (60, 30, 30), (30, 200, 40), (30, 40, 220), (150, 150, 150)
LEFT, BESIDE, SECOND, RIGHT = (np.s_[16:48, at : at + 32] for at in (0, 32, 88, 120))


def picture(patches):
    image = np.full((HEIGHT, WIDTH, 3), GREY, np.uint8)
    for where, colour in patches:
        image[where] = colour
    return image


def mask(*places, of=1):
    ids = np.zeros((HEIGHT, WIDTH), np.uint8)
    for place in places:
        ids[place] = of
    return ids


@pytest.fixture(scope="module")
def network():
    """Votes by colour and place, so that what a mask vouches for can be seen."""
    return build("toy")


def pruned(network, reference, frame, ids, previous=None) -> Pruned | None:
    """Prune the ids of a frame; the reference and the frame before are pictures with their ids."""

    def seen_earlier(index, seen, its_ids):
        image = tensor(seen)
        return Reference.of(index, network.encode_query(image), image, torch.from_numpy(its_ids))

    first = seen_earlier(0, *reference)
    before = None if previous is None else seen_earlier(1, *previous)
    soft = 0.9 * ids_to_probabilities(ids, first.objects)
    soft[0] += 0.1
    seen = NetworkFrame(2, (HEIGHT, WIDTH), tensor(frame), query=network.encode_query(tensor(frame)))
    return prune(network, seen, Segmentation(soft.log()[None]), soft, [first], first.objects, before)


def tensor(image):
    return torch.from_numpy(image).permute(2, 0, 1)[None].float() / 255


def shown(result, objects=(1,)):
    return cyclevos.masks.probabilities_to_ids(result.probabilities, objects)


def test_suspects_by_hand():
    alone = np.zeros((160, 320), dtype=bool)  # pieces of 6 pixels on, farther than 6.7 away
    alone[40:60, 40:60] = True
    assert find_suspects(alone) == []
    assert find_suspects(np.zeros_like(alone)) == []
    alone[100:102, 200:202] = True  # too small
    alone[62:66, 40:60] = True  # too near
    assert find_suspects(alone) == []
    alone[40:44, 100:110] = alone[130:150, 300:304] = True
    first, second = find_suspects(alone)
    assert first.share == pytest.approx(80 / (400 + 4 + 80 + 40 + 80))
    assert second.share == pytest.approx(40 / (400 + 4 + 80 + 40 + 80))
    assert second.region[38:46, 98:112].all()
    assert second.region.sum() == (4 + 12) * (10 + 12)


def test_a_look_alike_goes_and_a_part_of_the_object_stays(network):
    """The object is red and green. A grey thing in its place hides its middle; the blue thing was never part of it."""
    reference = picture([(LEFT, RED), (BESIDE, GREEN), (RIGHT, BLUE)]), mask(LEFT, BESIDE)
    apart = np.s_[16:48, 72:88]
    frame = picture([(LEFT, RED), (apart, GREEN), (RIGHT, BLUE)])
    result = pruned(network, reference, frame, mask(LEFT, apart, RIGHT))
    assert result.dropped == (1,)
    assert np.array_equal(shown(result), mask(LEFT, apart))
    assert pruned(network, reference, frame, mask(LEFT, apart)) is None
    everyone = torch.ones(1, 1, dtype=torch.bool)
    expected = network.encode_memory(network.prepare_memory(tensor(frame)), result.probabilities[None], everyone)
    assert torch.equal(result.memory.masks, expected.masks)


def test_of_an_object_in_pieces_goes_what_reference_and_frame_before_speak_against(network):
    frame = picture([(LEFT, RED), (RIGHT, BLUE)])
    reference = picture([(LEFT, RED), (SECOND, GREEN), (RIGHT, BLUE)]), mask(LEFT)
    ids = mask(LEFT, RIGHT)
    assert pruned(network, reference, frame, ids).dropped == (1,)
    reference[1][SECOND] = 1
    assert pruned(network, reference, frame, ids) is None
    assert pruned(network, reference, frame, ids, previous=(frame, ids)) is None
    assert pruned(network, reference, frame, ids, previous=(frame, mask(LEFT))).dropped == (1,)
    seen = picture([(LEFT, RED), (SECOND, GREEN)]), reference[1]  # the reference says nothing of blue things
    assert pruned(network, seen, frame, ids, previous=(frame, mask(LEFT))) is None


def test_an_object_that_is_elsewhere_now_stays(network):
    """Less than half of it is left in its place."""
    reference = picture([(LEFT, RED), (BESIDE, GREEN)]), mask(LEFT, BESIDE)
    back = np.s_[16:48, 112:136]
    frame = picture([(LEFT, RED), (back, GREEN)])
    assert pruned(network, reference, frame, mask(LEFT, back)) is None


def test_what_neither_helps_nor_harms_stays(network):
    """A second red thing, where the reference shows grey."""
    small = np.s_[24:40, 128:144]
    assert (
        pruned(network, (picture([(LEFT, RED)]), mask(LEFT)), picture([(LEFT, RED), (small, RED)]), mask(LEFT, small))
        is None
    )


def test_what_the_frame_before_has_beside_the_object_goes(network):
    """The reference shows nothing blue, so it cannot tell; the frame before shows it beside the mask."""
    reference, ids = (picture([(LEFT, RED)]), mask(LEFT)), mask(LEFT, RIGHT)
    frame = picture([(LEFT, RED), (RIGHT, BLUE)])
    assert pruned(network, reference, frame, ids) is None
    result = pruned(network, reference, frame, ids, previous=(frame, mask(LEFT)))
    assert np.array_equal(shown(result), mask(LEFT))


@pytest.mark.parametrize(
    "previous",
    [
        (picture([(LEFT, RED)]), mask(LEFT)),  # it comes out from behind something grey
        (picture([(LEFT, RED), (RIGHT, BLUE)]), mask(LEFT, RIGHT)),  # it was there
        (picture([(LEFT, RED), (RIGHT, BLUE)]), mask()),  # the object was not
    ],
)
def test_what_the_frame_before_does_not_speak_against_stays(network, previous):
    frame = picture([(LEFT, RED), (RIGHT, BLUE)])
    assert pruned(network, (picture([(LEFT, RED)]), mask(LEFT)), frame, mask(LEFT, RIGHT), previous) is None


def test_the_reference_outweighs_the_frame_before(network):
    """Green was part of the object in the reference, and was missed in the frame before."""
    reference = picture([(LEFT, RED), (BESIDE, GREEN)]), mask(LEFT, BESIDE)
    apart = np.s_[16:48, 72:88]
    frame = picture([(LEFT, RED), (apart, GREEN)])
    assert pruned(network, reference, frame, mask(LEFT, apart), previous=(frame, mask(LEFT))) is None


def test_objects_are_judged_one_by_one(network):
    low = np.s_[48:64, 0:32]
    reference = picture([(LEFT, RED), (low, GREEN), (RIGHT, BLUE)]), mask(LEFT) + mask(low, of=2)
    frame, half = picture([(LEFT, RED), (low, GREEN), (RIGHT, BLUE)]), np.s_[16:24, 120:152]
    result = pruned(network, reference, frame, mask(LEFT) + mask(low, half, of=2))
    assert result.dropped == (0, 1)
    assert np.array_equal(shown(result, (1, 2)), reference[1])
    assert torch.equal(result.probabilities[1], 0.9 * torch.from_numpy(mask(LEFT)).float())
    torch.testing.assert_close(result.probabilities.sum(dim=0), torch.ones(HEIGHT, WIDTH))


@pytest.fixture
def clip():
    """A red thing that stays, and a dark one far away, which is as red from frame 3 on."""
    images = [picture([(LEFT, RED), (SECOND, DARK if t < 3 else RED)]) for t in range(8)]
    return images, mask(LEFT)


HOW = Correction(steps=0, prune=True)


def test_islands_go_from_the_output_and_from_memory(network, clip, caplog):
    images, ids = clip
    plain = list(cyclevos.segment(network, images, ids, size=None, correction=None))
    assert plain[3].ids[SECOND].mean() > 0.5
    with caplog.at_level(logging.INFO, logger="cyclevos"):
        clean = list(cyclevos.segment(network, images, ids, size=None, correction=HOW))
    for before, after in zip(plain[:3], clean[:3], strict=True):
        assert torch.equal(before.probabilities, after.probabilities)
        assert after.uncorrected is None
    for after in clean[3:]:
        assert not after.ids[SECOND].any()
        assert after.ids[LEFT].mean() > 0.5
    assert torch.equal(clean[3].uncorrected, plain[3].probabilities)
    assert plain[5].ids[SECOND].mean() > 0.5
    assert clean[5].uncorrected is None, "memory has learnt that it is not the object"
    assert "frame 3: 1 island dropped" in caplog.messages


@pytest.mark.parametrize("how", [HOW, Correction.preset("default", every=2, prune=True)])
def test_a_snapshot_continues_exactly(network, clip, how):
    images, ids = clip
    first = Propagator(network, None, MemoryPolicy(), how)
    for index in range(5):
        first.step(index, images[index], ids if index == 0 else None)
    second = first.fresh()
    second.restore(first.snapshot())
    for index in range(5, len(images)):
        p, q = (propagator.step(index, images[index]) for propagator in (first, second))
        assert torch.equal(p.probabilities, q.probabilities)
        assert not p.ids[SECOND].any()


@pytest.mark.parametrize("family", ["stm-shared", "cutie"])
def test_every_family_can_be_pruned(family, clip):
    images, ids = clip
    for p in cyclevos.segment(
        build(family), images[:3], ids + mask(np.s_[50:60, 60:80], of=4), correction=HOW, size=None
    ):
        torch.testing.assert_close(p.probabilities.sum(dim=0), torch.ones(HEIGHT, WIDTH))


def test_the_value_is_checked():
    with pytest.raises(ConfigError, match="prune is 1; expected true or false"):
        Correction(prune=1)
