"""What is held and what is read of it."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from cyclevos.network.protocol import Slot
from cyclevos.network.sam2.memory import ReadLimits, Sam2FrameMemory, Sam2Memory
from cyclevos.network.traits import Kind, MemoryPolicy
from cyclevos.propagation.propagator import Propagator


def frame_memory(objects, value, channels=4):
    tokens = torch.full((objects, 3, channels), float(value)) + torch.arange(objects)[:, None, None] / 10
    pointers = torch.full((objects, 2 * channels), float(value)) + torch.arange(objects)[:, None] / 10
    return Sam2FrameMemory(tokens, torch.arange(3 * channels).view(3, channels).float(), pointers)


def slot(frame, objects=1, given=(), kind=Kind.SAMPLED):
    return Slot(frame, Kind.REFERENCE if given else kind, frame, objects, given)


def filled(slots, limits=ReadLimits(frames=6, given=None, pointers=15), *, compact=False):  # noqa: B008
    memory = Sam2Memory(limits, compact=compact)
    for place, held in enumerate(slots):
        memory.write(place, frame_memory(held.objects, held.frame))
    return memory


def test_the_users_frames_come_first_and_the_others_by_nearness():
    slots = [slot(0, given=(0,)), *map(slot, range(1, 10))]
    (group,) = filled(slots).read(slots, 10).groups
    assert group.ranks == (0, 6, 5, 4, 3, 2, 1)
    assert group.tokens[0, :, 0, 0].tolist() == [0, 4, 5, 6, 7, 8, 9]
    assert group.apart == (10, 1, 2, 3, 4, 5, 6, 7, 8, 9)
    assert group.pointers[0, :, 0].tolist() == [0, 9, 8, 7, 6, 5, 4, 3, 2, 1]


def test_sparse_frames_keep_their_distance_in_pointers_and_their_order_in_tokens():
    slots = [slot(0, given=(0,)), slot(5), slot(10), slot(12, kind=Kind.PREVIOUS)]
    (group,) = filled(slots).read(slots, 13).groups
    assert (group.ranks, group.apart) == ((0, 3, 2, 1), (13, 1, 3, 8))


def test_a_users_frame_among_the_nearest_keeps_its_rank_free():
    slots = [slot(0, given=(0,)), slot(1), slot(2, given=(0,)), slot(3)]
    (group,) = filled(slots).read(slots, 4).groups
    assert group.ranks == (0, 0, 3, 1)
    assert group.tokens[0, :, 0, 0].tolist() == [0, 2, 1, 3]
    assert group.apart == (4, 2, 1, 3)


def test_backward_in_time_the_next_frames_are_the_nearest():
    slots = [slot(9, given=(0,)), slot(8), slot(7)]
    (group,) = filled(slots).read(slots, 6).groups
    assert group.ranks == (0, 2, 1)
    assert group.tokens[0, :, 0, 0].tolist() == [9, 8, 7]


def test_only_so_many_pointers_and_users_frames_are_read():
    limits = ReadLimits(frames=2, given=1, pointers=2)
    slots = [slot(0, given=(0,)), slot(1, given=(0,)), slot(2), slot(3), slot(4)]
    (group,) = filled(slots, limits).read(slots, 5).groups
    assert group.ranks == (0, 2, 1)
    assert group.tokens[0, :, 0, 0].tolist() == [1, 3, 4]
    assert group.apart == (5, 4, 1, 2)


def test_objects_with_other_histories_are_read_apart():
    slots = [slot(0, 2, given=(0, 1)), slot(1, 2), slot(2, 3, given=(2,)), slot(3, 3)]
    first, new = filled(slots).read(slots, 4).groups
    assert (first.objects, first.ranks) == ((0, 1), (0, 3, 2, 1))
    assert (new.objects, new.ranks) == ((2,), (0, 1))
    assert_close(first.tokens[:, 0, 0, 0], torch.tensor([0.0, 0.1]))
    assert_close(new.tokens[:, :, 0, 0], torch.tensor([[2.2, 3.2]]))


def test_objects_that_are_not_neighbours_are_read_together():
    slots = [slot(0, 3, given=(0, 1, 2)), slot(1, 3, given=(1,)), slot(2, 3)]
    outer, middle = filled(slots).read(slots, 3).groups
    assert (outer.objects, middle.objects) == ((0, 2), (1,))
    assert_close(outer.tokens[:, -1, 0, 0], torch.tensor([2.0, 2.2]))


def test_a_place_can_be_written_again_and_none_can_be_left_out():
    slots = [slot(0, given=(0,)), slot(1)]
    memory = filled(slots)
    memory.write(1, frame_memory(1, 7))
    with pytest.raises(IndexError, match="place from 0 to 2, got 3"):
        memory.write(3, frame_memory(1, 8))
    assert memory.read(slots, 2).groups[0].tokens[0, :, 0, 0].tolist() == [0, 7]


def test_stored_tokens_are_rounded_and_those_of_the_cycle_are_not():
    memory = Sam2Memory(ReadLimits(6, None, 15), compact=True)
    encoded = frame_memory(1, 1 + 2**-12)
    memory.write(0, encoded)
    assert memory.read([slot(0, given=(0,))], 1).groups[0].tokens.dtype == torch.bfloat16
    alone = encoded.alone(3)
    assert alone.groups[0].tokens.unique().tolist() == [1 + 2**-12]
    assert (alone.groups[0].apart, alone.gated) == ((3,), False)


def test_a_memory_of_some_objects():
    memory = frame_memory(3, 1)
    some = memory.select(torch.tensor([True, False, True]))
    assert (len(memory), len(some)) == (3, 2)
    assert_close(some.tokens[:, 0, 0], torch.tensor([1.0, 1.2]))
    assert memory.select(torch.ones(3, dtype=torch.bool)) is memory


@pytest.mark.parametrize("compact", [False, True])
def test_a_snapshot_restores_frames_of_different_numbers_of_objects(compact):
    slots = [slot(0, 1, given=(0,)), slot(1, 3, given=(1, 2)), slot(2, 3)]
    memory = filled(slots, compact=compact)
    snapshot = memory.snapshot(slots)
    restored = filled([slot(5, 2)])
    restored.restore(snapshot, slots, torch.device("cpu"))
    for old, new in zip(memory.read(slots, 3).groups, restored.read(slots, 3).groups, strict=True):
        assert old.objects == new.objects
        assert torch.equal(old.tokens, new.tokens)
        assert torch.equal(old.pointers, new.pointers)
    again = restored.snapshot(slots)
    assert all(torch.equal(snapshot[name], again[name]) for name in snapshot)


def test_an_empty_snapshot_empties_the_memory():
    memory = filled([slot(0, given=(0,))])
    empty = Sam2Memory(ReadLimits(6, None, 15), compact=False).snapshot([])
    memory.restore(empty, [], torch.device("cpu"))
    assert all(tensor.numel() == 0 for tensor in memory.snapshot([]).values())


def test_a_snapshot_that_does_not_fit_is_refused():
    slots = [slot(0, 2, given=(0, 1)), slot(1, 2)]
    snapshot = filled(slots).snapshot(slots)
    memory = filled(slots)
    with pytest.raises(ValueError, match="expected 5 objects"):
        memory.restore(snapshot, [*slots, slot(2, 1)], torch.device("cpu"))
    with pytest.raises(ValueError, match="expected tokens"):
        memory.restore({**snapshot, "positions": torch.zeros(2, 4)}, slots, torch.device("cpu"))
    with pytest.raises(KeyError):
        memory.restore({"tokens": snapshot["tokens"]}, slots, torch.device("cpu"))
    assert memory.read(slots, 2).groups[0].tokens.shape == (2, 2, 3, 4)


@pytest.mark.parametrize(
    "policy",
    [MemoryPolicy(3, 3), MemoryPolicy(5, 2), MemoryPolicy(2, None, previous=False)],
    ids=["every 3rd, three", "every 5th, two", "every 2nd"],
)
def test_a_propagator_continues_exactly_with_any_policy(network, clip, policy):
    straight = Propagator(network, None, policy)
    annotations = {0: clip.ids[0] * (clip.ids[0] == 1), 3: clip.ids[3] * (clip.ids[3] == 2)}
    for index in range(5):
        straight.step(index, clip.images[index], annotations.get(index))
    resumed = Propagator(network, None, policy)
    resumed.restore(straight.snapshot())
    for index in range(5, 8):
        one, other = (each.step(index, clip.images[index]) for each in (straight, resumed))
        assert one.object_ids == (1, 2)
        assert torch.equal(one.probabilities, other.probabilities)


def test_memory_does_not_grow_with_the_video(network, clip):
    propagator = Propagator(network, None, MemoryPolicy(1, 4))
    sizes = []
    for index in range(8):
        propagator.step(index, clip.images[index], clip.ids[0] if index == 0 else None)
        sizes.append(propagator.snapshot()["tokens"].numel())
    assert sizes[3:] == [sizes[3]] * 5
