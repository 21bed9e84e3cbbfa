"""The size inside the network: large objects keep the network's own, small ones are looked at more closely."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

import cyclevos
from cyclevos import Propagator
from cyclevos.network.settings import NetworkSettings
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.spec import SPECS
from cyclevos.network.traits import CloserLook, NetworkTraits
from cyclevos.propagation.inner_size import choose_size, sized
from cyclevos.propagation.settings import SegmentationSettings

TRAITS = NetworkTraits("stm", 480, closer=CloserLook(length=48, most=1.5))


@pytest.fixture
def network(closer_network) -> SpaceTimeMemoryNetwork:
    return closer_network


@pytest.fixture
def small(square) -> np.ndarray:
    """A mask of object 7 with five by five pixels, beside the square."""
    ids = np.zeros_like(square)
    ids[18:23, 30:35] = 7
    return ids


def mask(shape: tuple[int, int], **sides: int) -> np.ndarray:
    """Squares of objects `o1`, `o2`, ... by the length of their sides, side by side."""
    ids, left = np.zeros(shape, np.uint8), 0
    for name, side in sides.items():
        ids[:side, left : left + side] = int(name[1:])
        left += side
    return ids


@pytest.mark.parametrize(
    ("annotations", "size", "smallest"),
    [
        ({0: mask((480, 640), o1=48, o2=99)}, 480, (1, 0, 48**2, 48)),
        ({0: mask((480, 640), o1=47, o2=99)}, 496, (1, 0, 47**2, 47)),
        ({0: mask((480, 640), o1=300, o2=36)}, 640, (2, 0, 36**2, 36)),
        ({0: mask((480, 640), o1=2, o2=99)}, 720, (1, 0, 4, 2)),
        ({0: mask((480, 640), o1=2)}, 480, None),  # alone
        ({0: mask((240, 320), o1=20, o2=99)}, 576, (1, 0, 400, 40)),  # 480 / 40 * 48, although it has no such detail
        ({0: mask((1600, 960), o1=80, o2=99)}, 576, (1, 0, 6400, 40)),
        ({9: mask((480, 640), o3=36, o1=99), 4: mask((480, 640), o3=90)}, 480, (3, 4, 8100, 90)),
        ({9: mask((480, 640), o3=36), 4: mask((480, 640), o1=90)}, 640, (3, 9, 1296, 36)),
        ({0: mask((480, 640))}, 480, None),
        ({}, 480, None),
    ],
)
def test_the_smallest_object_decides_in_the_first_frame_that_shows_it(annotations, size, smallest):
    chosen = choose_size(TRAITS, annotations)
    assert (chosen.size, chosen.own, chosen.smallest) == (size, 480, smallest)
    assert chosen.is_closer == (size != 480)


@pytest.mark.parametrize("own", [None, 240])
def test_networks_of_other_kinds_look_no_closer(own):
    tiny = {0: mask((480, 640), o1=5, o2=5)}
    assert choose_size(NetworkTraits("cutie", own), tiny).size == own
    assert choose_size(replace(TRAITS, size=None), tiny).size is None


def test_the_packaged_network_looks_closer_and_released_ones_keep_the_papers_size():
    traits = NetworkSettings().traits()
    assert (traits.size, traits.closer) == (544, CloserLook(length=96, most=1.5))
    assert [SPECS[name].traits.closer for name in SPECS if name != "default"] == [None] * 3


def test_a_size_that_is_asked_for_is_what_it_says():
    asked = SegmentationSettings(size=240)
    assert sized(asked, TRAITS, {0: mask((480, 640), o1=5)}) == (asked, None)


def test_large_objects_have_the_masks_of_the_networks_own_size(network, images, square):
    found, expected = (list(cyclevos.segment(network, images[:4], square, size=size)) for size in ("auto", 32))
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.probabilities, other.probabilities)


@pytest.mark.parametrize("later", [0, 2])
def test_a_small_object_is_looked_at_more_closely_wherever_it_begins(network, images, square, small, later):
    masks = {0: square + small} if later == 0 else {0: square, later: small}
    found, expected = (list(cyclevos.segment(network, images[:4], masks, size=size)) for size in ("auto", 64))
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one.probabilities, other.probabilities)


def test_the_first_annotated_frame_decides_for_a_propagator(network, images, square, small):
    propagator, fixed = Propagator(network), Propagator(network, size=32)
    propagator.step(0, images[0], np.zeros_like(square))  # shows nothing
    for index, ids in enumerate((square, small, None), start=1):
        found, expected = (each.step(index, images[index], ids) for each in (propagator, fixed))
        assert torch.equal(found.probabilities, expected.probabilities)
    assert (propagator.size, propagator.fresh().size) == (32, 32)
    propagator.reset()
    propagator.step(0, images[0], square + small)
    assert propagator.size == 64


def test_objects_added_to_the_first_frame_decide_together(network, images, square, small):
    one_by_one, together = Propagator(network), Propagator(network)
    together.step(0, images[0], square + small)
    one_by_one.add_mask(0, images[0], 1, square == 1)
    assert one_by_one.size == 32
    added = one_by_one.add_mask(0, images[0], 7, small == 7)
    np.testing.assert_array_equal(added.ids, square + small)
    for index in (1, 2):
        found, expected = (each.step(index, images[index]) for each in (one_by_one, together))
        assert torch.equal(found.probabilities, expected.probabilities)
    assert one_by_one.size == together.size == 64


def test_a_mask_given_again_to_the_first_frame_keeps_the_objects_it_does_not_show(network, images, square, small):
    propagator = Propagator(network)
    propagator.step(0, images[0], square)
    propagator.step(0, images[0], small)
    assert (propagator.objects, propagator.size) == ((1, 7), 32)


def test_a_propagator_that_continues_keeps_its_size(network, images, square, small):
    propagator, other = Propagator(network), Propagator(network)
    propagator.step(0, images[0], square + small)
    other.restore(propagator.snapshot())
    assert other.size == 64
    found, expected = (each.step(1, images[1], square) for each in (other, propagator))
    assert torch.equal(found.probabilities, expected.probabilities)
    earlier = {name: tensor for name, tensor in Propagator(network, 32).snapshot().items() if name != "inner_size"}
    other.restore(earlier)  # of a version without closer looks, before its first mask
    assert other.size == 32


def test_an_announced_mask_decides_if_it_is_the_first(network, images, square, small):
    propagator = Propagator(network, correction=cyclevos.Correction(steps=1, every=1, reference="all"))
    propagator.announce(3, images[3], square + small)
    propagator.step(0, images[0], square)
    assert propagator.size == 64
    propagator.step(1, images[1])
