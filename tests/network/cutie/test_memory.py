from __future__ import annotations

import numpy as np
import pytest
import torch

from cyclevos.geometry import pad_to_multiple, without_padding
from cyclevos.network.cutie.features import CutieFrame
from cyclevos.network.cutie.memory import CutieMemory, updating_distances
from cyclevos.network.protocol import Slot
from cyclevos.network.traits import Kind, MemoryPolicy


def frame(objects: int, fill: float) -> CutieFrame:
    return CutieFrame(
        torch.full((1, 3, 2, 2), fill),
        torch.full((1, 1, 2, 2), fill),
        torch.full((objects, 5, 2, 2), fill),
        torch.full((objects, 4, 6), fill),
    )


def slots(*objects: int) -> list[Slot]:
    return [Slot(10 * i, Kind.SAMPLED, i, count) for i, count in enumerate(objects)]


def test_objects_read_the_frames_that_know_them():
    memory = CutieMemory(MemoryPolicy())
    for place, objects in enumerate((1, 1, 3)):
        memory.write(place, frame(objects, place + 1.0))
    reading = memory.read(slots(1, 1, 3), 21)

    first, later = reading.buckets
    assert (first.objects, first.places) == (slice(0, 1), None)
    assert (later.objects, later.places) == (slice(1, 3), (2,))
    assert reading.key[0, 0].tolist() == [1.0] * 4 + [2.0] * 4 + [3.0] * 4
    assert first.value[0, 0].tolist() == reading.key[0, 0].tolist()
    assert later.value[:, 0].tolist() == [[3.0] * 4] * 2


def test_summaries_are_sums_over_all_frames_ever_written():
    memory = CutieMemory(MemoryPolicy())
    memory.write(0, frame(1, 1.0))
    memory.write(1, frame(2, 2.0))
    memory.write(1, frame(2, 4.0))  # the frame before goes, its summary stays

    assert memory.read(slots(1, 2), 21).summary[:, 0, 0].tolist() == [7.0, 6.0]


def test_a_write_that_raises_changes_nothing():
    memory = CutieMemory(MemoryPolicy())
    memory.write(0, frame(2, 1.0))
    before = memory.snapshot(slots(2))
    with pytest.raises(ValueError, match="at least 2 objects, got 1"):
        memory.write(1, frame(1, 1.0))
    with pytest.raises(ValueError, match="expected keys"):
        memory.write(1, frame(2, 1.0)._replace(key=torch.zeros(1, 3, 2, 3)))

    after = memory.snapshot(slots(2))
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())


def test_writing_does_not_change_what_was_written():
    memory = CutieMemory(MemoryPolicy())
    first, second = frame(1, 1.0), frame(1, 2.0)
    memory.write(0, first)
    memory.write(1, second)

    assert (first.summary == 1).all()
    assert (second.summary == 2).all()


def test_a_snapshot_restores_everything():
    memory, other = CutieMemory(MemoryPolicy()), CutieMemory(MemoryPolicy())
    memory.write(0, frame(1, 1.0))
    memory.write(1, frame(3, 2.0))
    held = memory.snapshot(slots(1, 3))
    memory.write(1, frame(3, 9.0))
    other.restore(held, slots(1, 3), torch.device("cpu"))
    reading = other.read(slots(1, 3), 12)

    assert [each.places for each in reading.buckets] == [None, (1,)]
    assert reading.summary[:, 0, 0].tolist() == [3.0, 2.0, 2.0]
    assert reading.key[0, 0].tolist() == [1.0] * 4 + [2.0] * 4
    other.write(1, frame(3, 9.0))
    assert other.read(slots(1, 3), 12).summary[:, 0, 0].tolist() == [12.0, 11.0, 11.0]


def test_an_empty_memory_restores_to_an_empty_one():
    memory = CutieMemory(MemoryPolicy())
    held = memory.snapshot([])
    memory.write(0, frame(1, 1.0))
    memory.restore(held, [], torch.device("cpu"))
    memory.write(0, frame(1, 5.0))

    assert memory.read(slots(1), 1).summary[0, 0, 0] == 5


def test_a_snapshot_that_does_not_fit_its_slots_is_refused():
    memory = CutieMemory(MemoryPolicy())
    memory.write(0, frame(1, 1.0))
    held = memory.snapshot(slots(1))
    with pytest.raises(ValueError, match="expected 2 frames"):
        memory.restore(held, slots(1, 1), torch.device("cpu"))
    with pytest.raises(KeyError):
        memory.restore({"first_seen": held["first_seen"]}, slots(1), torch.device("cpu"))
    assert memory.read(slots(1), 1).summary[0, 0, 0] == 1


@pytest.mark.parametrize(("now", "updates"), [(21, True), (22, False), (23, True), (18, False), (30, True), (99, True)])
def test_the_sensory_memory_is_updated_at_some_distances_from_the_newest_frame(now, updates):
    memory = CutieMemory(MemoryPolicy(every=10))  # 1, 3, 6, 8 and 10 frames
    memory.write(0, frame(1, 1.0))
    memory.write(1, frame(1, 1.0))
    newest_first = [Slot(20, Kind.SAMPLED, 7, 1), Slot(0, Kind.REFERENCE, 0, 1)]

    assert memory.read(newest_first, now).updates is updates


@pytest.mark.parametrize("every", range(1, 41))
def test_the_distances_are_the_librarys(every):
    expected = range(1, every + 1) if every <= 5 else np.round(np.linspace(1, every, 5)).astype(int).tolist()
    assert updating_distances(every) == set(expected)


@pytest.mark.parametrize("size", [(32, 48), (33, 47), (1, 1), (70, 90)])
def test_padding_is_the_librarys(size):
    library = pytest.importorskip("cutie.utils.tensor_utils", reason="the extra cutie is not installed")

    maps = torch.rand(2, *size)
    padded = pad_to_multiple(maps, 16)
    assert torch.equal(padded, library.pad_divide_by(maps, 16)[0])
    assert torch.equal(without_padding(padded, size), maps)
