"""References: which annotated frames are held, and what is left of them at the network's size."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import cyclevos
from cyclevos import Correction
from cyclevos.network.traits import MemoryPolicy
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.references import Reference, shrink_ids


def test_every_object_leaves_a_pixel_when_ids_shrink():
    ids = np.zeros((240, 400), np.uint8)
    ids[40:120, 40:200] = 9
    ids[100, 300], ids[100, 301], ids[200, 20] = 3, 200, 1  # two within one pixel of the smaller picture
    small = shrink_ids(ids, (32, 53)).numpy()
    assert set(np.unique(small)) == {0, 1, 3, 9, 200}
    assert {i: (small == i).sum() for i in (1, 3, 200)} == {1: 1, 3: 1, 200: 1}
    row, column = np.argwhere(small == 1)[0]
    assert (row, column) == (200 * 32 // 240, 20 * 53 // 400)


def test_an_object_too_small_for_the_network_is_doubted_not_forgotten(lively_network, images, square):
    dot = square.copy()
    dot[20, 30] = 3
    predictions = list(cyclevos.segment(lively_network, images[:4], dot, size=16))
    assert [set(p.reliability) for p in predictions] == [{1, 3}] * 4


@pytest.mark.parametrize(("choice", "held"), [("latest", [3, 4]), ("all", [0, 1, 2, 3, 4])])
def test_references_that_nobody_asks_for_are_let_go(lively_network, images, square, strip, choice, held):
    propagator = Propagator(lively_network, None, MemoryPolicy(), Correction(reference=choice))
    masks = {0: square + strip, 1: square, 2: strip, 3: square, 4: strip}
    for index in range(6):
        propagator.step(index, images[index], masks.get(index))
    assert propagator.snapshot()["reference_indices"].tolist() == held


def test_objects_in_pieces_are_told_from_whole_ones():
    ids = np.zeros((96, 96), np.uint8)
    ids[10:30, 10:30] = ids[70:80, 70:80] = 4  # two pieces, far from each other
    ids[40:50, 40:50] = ids[52:55, 40:50] = 9  # two pieces, near each other
    reference = Reference(0, None, torch.zeros(1, 3, 96, 96), torch.from_numpy(ids), (4, 9))
    assert reference.in_pieces == {4}
    assert reference.without(4).in_pieces == set()
