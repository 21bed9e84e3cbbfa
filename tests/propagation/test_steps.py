"""A step either happened or did not, and does not wait for the device on the way."""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import replace
from operator import attrgetter
from typing import ClassVar

import numpy as np
import pytest
import torch

import cyclevos.network.stm.memory_read as read_module
import cyclevos.propagation.acceptance as acceptance_module
import cyclevos.propagation.descent as descent_module
import cyclevos.propagation.frame_correction as correction_module
import cyclevos.propagation.frame_propagator as propagator_module
import cyclevos.propagation.outcome as outcome_module
import cyclevos.propagation.pruning as pruning_module
from cyclevos import Correction
from cyclevos.network.stm.decoder import Decoder
from cyclevos.network.traits import MemoryPolicy
from cyclevos.network.transfer import download, pack, unpack
from cyclevos.propagation.network_frame import encode_frames
from cyclevos.propagation.propagator import Propagator

STAGES = [
    ("network", "encode_query"),
    ("network", "segment"),
    ("network", "prepare_memory"),
    ("network", "encode_memory"),
    ("reliability", "observe"),
    ("reliability", "judge"),
    ("_bank", "write"),
    ("_bank._memory", "_reserve"),
    (correction_module, "correct"),
    (propagator_module, "fit_frame"),
    (propagator_module, "most_probable"),
    (propagator_module, "download"),
    (propagator_module, "object_ids"),
    (outcome_module, "put_over"),
    (outcome_module, "shrink_ids"),
]


def same(first, second):
    assert set(first) == set(second)
    for name in first:
        assert torch.equal(first[name], second[name]), name


@pytest.mark.parametrize(("owner", "stage"), STAGES, ids=[stage for _, stage in STAGES])
def test_a_step_that_fails_anywhere_can_be_repeated(lively_network, images, square, strip, monkeypatch, owner, stage):
    how = Correction.preset("default", every=2)
    masks = {0: square, 3: strip}
    plain, failing = (Propagator(lively_network, 20, MemoryPolicy(2, 3), how) for _ in range(2))
    failures = 0

    def fail(*_, **__):
        raise MemoryError("no room")

    for index, image in enumerate(images[:6]):
        expected = plain.step(index, image, masks.get(index))
        before, frames = failing.snapshot(), failing._bank.frames
        place = owner if not isinstance(owner, str) else attrgetter(owner)(failing)
        try:
            with monkeypatch.context() as patched:
                patched.setattr(place, stage, fail)
                found = failing.step(index, image, masks.get(index))
        except MemoryError:
            failures += 1
            same(failing.snapshot(), before)
            assert failing._bank.frames == frames
            found = failing.step(index, image, masks.get(index))
        assert failing._bank.frames == plain._bank.frames
        assert torch.equal(found.probabilities, expected.probabilities)
        assert np.array_equal(found.ids, expected.ids)
        assert found.reliability == expected.reliability
        same(failing.snapshot(), plain.snapshot())
    assert failures > 0


@pytest.mark.parametrize("stage", ["encode_query", "shrink_ids"])
def test_an_announcement_that_fails_can_be_repeated(lively_network, images, square, strip, monkeypatch, stage):
    how = Correction(reference="all", every=2, steps=1)
    plain, failing = (Propagator(lively_network, None, MemoryPolicy(), how) for _ in range(2))

    def fail(*_):
        raise MemoryError("no room")

    before = failing.snapshot()
    with monkeypatch.context() as patched:
        patched.setattr(lively_network if stage == "encode_query" else propagator_module, stage, fail)
        with pytest.raises(MemoryError):
            failing.announce(5, images[5], strip)
    same(failing.snapshot(), before)
    for propagator in (plain, failing):
        propagator.announce(5, images[5], strip)
        propagator.step(0, images[0], square)
    same(failing.snapshot(), plain.snapshot())


class OnDevice(torch.Tensor):
    """A tensor that stands for one on a device: what is computed from it is one too, and reads of values count."""

    reads: ClassVar[Counter] = Counter()
    READS = frozenset(
        [
            "item",
            "tolist",
            "cpu",
            "numpy",
            "nonzero",
            "bincount",
            "unique",
            "masked_select",
            "equal",
            "__bool__",
            "__int__",
            "__float__",
            "__index__",
            "__array__",
            "__contains__",
        ]
    )

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        if function.__name__ in cls.READS:
            cls.reads[function.__name__] += 1
        return super().__torch_function__(function, types, args, kwargs or {})


def test_a_read_of_a_device_tensor_counts():
    OnDevice.reads.clear()
    tensor = torch.arange(6.0).as_subclass(OnDevice)
    assert bool((tensor[1:] * 2 > 3).any())
    tensor.mean().item()
    assert OnDevice.reads == {"__bool__": 1, "item": 1}


@pytest.mark.parametrize("correction", [None, Correction.preset("default", every=3)])
def test_a_step_reads_the_device_at_its_end_alone(
    lively_network, images, square, strip, monkeypatch, caplog, correction
):
    caplog.set_level(logging.WARNING, "cyclevos")  # a log of corrections measures them
    downloads = []

    def counted(*tensors):
        downloads.append(len(tensors))
        return [tensor.as_subclass(torch.Tensor) for tensor in tensors]

    for module in (propagator_module, descent_module, acceptance_module, pruning_module):
        monkeypatch.setattr(module, "download", counted)
    # What is done on a CPU alone may look at its tensors: a device reads the whole memory and refines whole frames.
    monkeypatch.setattr(read_module, "_read_in_parts", lambda *args: read_module._read(*args[:4]))
    monkeypatch.setattr(Decoder, "_near_objects", Decoder._refined)
    propagator = Propagator(lively_network, 20, MemoryPolicy(), correction)
    for index, image in enumerate(images[:7]):
        fitted = propagator.fit(index, image, {0: square, 2: strip}.get(index))
        fitted = replace(fitted, pixels=fitted.pixels.as_subclass(OnDevice))
        (frame,) = encode_frames(lively_network, [fitted])
        OnDevice.reads.clear()
        downloads.clear()
        outcome = propagator.segment(frame)
        if index in (3, 6) and correction is not None:
            # Which pieces and which objects there are, whether each of two masks is consistent, and the scores.
            assert 4 <= len(downloads) <= 5
        else:
            assert len(downloads) == (correction is not None and index not in (0, 2))  # the pieces alone
        assert isinstance(outcome.masks.output, OnDevice) or index in (0, 2)  # nothing slipped by uncounted
        before = len(downloads)
        propagator.commit(outcome)
        assert len(downloads) == before + 1
        assert not OnDevice.reads, index


def test_packed_tensors_come_back_as_they_were():
    tensors = (
        torch.arange(7, dtype=torch.uint8),
        torch.randn(3, 2, dtype=torch.float64),
        torch.tensor([True, False, True]),
        torch.empty(0, dtype=torch.int64),
        torch.randn(4, 6)[:, ::2],
        torch.tensor(5),
    )
    for found, expected in zip(unpack(pack(*tensors), *tensors), tensors, strict=True):
        assert found.dtype == expected.dtype
        assert torch.equal(found, expected)
    assert download(*tensors)[0] is tensors[0]
