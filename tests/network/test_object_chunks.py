"""Objects in chunks: the same result, and what happens where there is no room for all."""

from __future__ import annotations

import copy
import logging

import pytest
import torch

from cyclevos.network.object_chunks import ObjectChunks, OutOfMemoryError

CPU = torch.device("cpu")


@pytest.fixture
def scene():
    """Two frames with five objects."""
    frames = torch.rand(2, 3, 48, 64)
    probabilities = torch.rand(1, 6, 48, 64).softmax(dim=1)
    return frames, probabilities, torch.ones(1, 5, dtype=torch.bool)


@torch.no_grad()
def outcome(network, scene, at_once):
    frames, probabilities, present = scene
    network.chunks.at_once = at_once
    memory = network.encode_memory(network.prepare_memory(frames[:1]), probabilities, present)
    known = torch.ones(5, memory.key.flatten(2).shape[2], dtype=torch.bool)
    known[3, :5] = False
    query = network.encode_query(frames[1:])
    logits = network.segment(query, memory.alone()._replace(known=known), present).logits
    return memory.key, memory.value, logits.softmax(dim=1)


@pytest.mark.parametrize("at_once", [None, 1, 2, 3])
def test_the_result_is_that_of_all_at_once(lively_network, scene, at_once):
    network = copy.deepcopy(lively_network).double()  # its large weights make much of float32's rounding
    scene = (scene[0].double(), scene[1].double(), scene[2])
    together = outcome(network, scene, 5)
    for one, other in zip(outcome(network, scene, at_once), together, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_a_gpu_without_room_gets_fewer_at_a_time_with_one_warning(tiny_network, scene, monkeypatch, caplog):
    real, taken = tiny_network.decoder.forward, []

    def small(read, *rest):
        taken.append(len(read))
        if len(read) > 2:
            raise OutOfMemoryError("CUDA out of memory")
        return real(read, *rest)

    together = outcome(tiny_network, scene, 5)[2]
    monkeypatch.setattr(tiny_network.decoder, "forward", small)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            tiny_network.chunks.at_once = tiny_network.chunks.at_once or 5
            found = outcome(tiny_network, scene, tiny_network.chunks.at_once)[2]
            torch.testing.assert_close(found, together, rtol=1e-5, atol=1e-5)
    assert taken == [5, 3, 2, 2, 1, 2, 2, 1]
    assert [record.message for record in caplog.records] == [
        "Out of GPU memory with 5 objects at a time; continuing with fewer."
    ]


def test_one_object_that_has_no_room_is_the_callers_trouble():
    def work(rows):
        raise OutOfMemoryError("CUDA out of memory")

    with torch.no_grad(), pytest.raises(OutOfMemoryError):
        ObjectChunks().run(work, 4, 100, CPU)


def test_with_gradients_all_go_together():
    seen = []

    def work(rows):
        seen.append(rows)
        return (torch.zeros(4),)

    chunks = ObjectChunks()
    chunks.at_once = 1
    chunks.run(work, 4, 100, CPU)
    assert seen == [slice(0, 4)]


@pytest.mark.parametrize(("pixels", "taken"), [(480 * 854, [2, 2, 1]), (1080 * 1920, [1] * 5), (64, [5])])
def test_a_cpu_takes_fewer_objects_of_large_frames(pixels, taken):
    def work(rows):
        seen.append(min(rows.stop, 5) - rows.start)
        return (torch.zeros(seen[-1]),)

    seen = []
    with torch.no_grad():
        ObjectChunks().run(work, 5, pixels, CPU)
    assert seen == taken
