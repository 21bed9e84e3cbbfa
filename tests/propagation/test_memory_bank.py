"""The memory bank against a list that does the same slowly."""

from types import SimpleNamespace

import pytest
import torch

from cyclevos.errors import ConfigError
from cyclevos.network.stm.features import MemoryFeatures
from cyclevos.network.stm.memory import CellMemory
from cyclevos.network.stm.memory_read import memory_read
from cyclevos.network.traits import Kind, MemoryPolicy
from cyclevos.propagation.memory_bank import MemoryBank

KEY, VALUE, H, W = 3, 2, 2, 3


def features(frame: int, objects: int = 1) -> MemoryFeatures:
    generator = torch.Generator().manual_seed(frame)
    return MemoryFeatures(
        torch.randn(objects, KEY, H, W, generator=generator), torch.randn(objects, VALUE, H, W, generator=generator)
    )


def bank_of(policy: MemoryPolicy, *, shared: bool = False) -> MemoryBank:
    """Return a bank over the memory of an STM network, and over nothing else of it."""
    network = SimpleNamespace(new_memory=lambda given: CellMemory(given.max_frames, shared_key=shared))
    return MemoryBank(network, policy)  # type: ignore[arg-type]


def kind_of(frame: int, every: int, references: tuple[int, ...] = (0,)) -> Kind:
    return Kind.REFERENCE if frame in references else Kind.SAMPLED if frame % every == 0 else Kind.PREVIOUS


def fill(bank: MemoryBank, frames: int, references: tuple[int, ...] = (0,)) -> None:
    for frame in range(frames):
        bank.write(frame, features(frame), kind_of(frame, bank.policy.every, references), 1)


class ListBank:
    """What the bank should hold, said plainly: (frame, kind, features) in order of arrival."""

    def __init__(self, maximum: int | None) -> None:
        self.maximum = maximum
        self.entries: list[tuple[int, Kind, MemoryFeatures]] = []

    def write(self, frame: int, memory: MemoryFeatures, kind: Kind) -> None:
        self.entries = [e for i, e in enumerate(self.entries) if e[1] is not Kind.PREVIOUS]
        if self.maximum is not None and len(self.entries) == self.maximum:
            later = self.entries[1:]
            sampled = [e for e in later if e[1] is Kind.SAMPLED]
            self.entries.remove((sampled or later)[0])
        self.entries.append((frame, kind, memory))

    def read_for(self, slot: int, query: torch.Tensor) -> torch.Tensor:
        known = [memory for _, _, memory in self.entries if slot < len(memory.key)]
        key = torch.cat([memory.key[slot : slot + 1].flatten(2) for memory in known], dim=2)
        value = torch.cat([memory.value[slot : slot + 1].flatten(2) for memory in known], dim=2)
        return memory_read(key, value, query)


@pytest.mark.parametrize("maximum", [2, 3, 5, 16, 40, None])
@pytest.mark.parametrize("references", [(0,), (0, 7, 8, 20)])
@pytest.mark.parametrize("shared", [False, True])
def test_reads_as_the_slow_bank_while_objects_are_added(maximum, references, shared):
    bank, slow = bank_of(MemoryPolicy(3, maximum), shared=shared), ListBank(maximum)
    query = torch.randn(1, KEY, 4)
    for frame in range(66):
        objects = 1 + (frame >= 7) + (frame >= 20)
        memory, kind = features(frame, objects), kind_of(frame, 3, references)
        if shared:
            memory = memory._replace(key=memory.key[:1].expand(objects, -1, -1, -1))
        bank.write(frame, memory, kind, objects)
        slow.write(frame, memory, kind)
        assert sorted(bank.frames) == sorted(entry[0] for entry in slow.entries)
        key, value, known = bank.read(now=99)
        read = memory_read(key, value, query.expand(objects, -1, -1), known)
        for slot in range(objects):
            torch.testing.assert_close(read[slot : slot + 1], slow.read_for(slot, query))


def test_reference_sampled_and_previous_frames_are_held():
    bank = bank_of(MemoryPolicy(5, None))
    fill(bank, 13)
    assert sorted(bank.frames) == [0, 5, 10, 12]


def test_the_oldest_sampled_frame_goes_first_and_the_first_frame_stays():
    bank = bank_of(MemoryPolicy(1, 4))
    fill(bank, 10)
    assert sorted(bank.frames) == [0, 7, 8, 9]


def test_later_references_outlive_sampled_frames():
    bank = bank_of(MemoryPolicy(1, 4))
    fill(bank, 12, references=(0, 3))
    assert sorted(bank.frames) == [0, 3, 10, 11]


def test_more_references_than_room_keep_the_first_and_the_latest():
    bank = bank_of(MemoryPolicy(5, 3))
    fill(bank, 8, references=tuple(range(8)))
    assert sorted(bank.frames) == [0, 6, 7]


def test_it_never_holds_more_than_the_bound():
    bank = bank_of(MemoryPolicy(2, 6))
    for frame in range(60):
        bank.write(frame, features(frame), kind_of(frame, 2), 1)
        assert len(bank) <= 6
        assert frame in bank.frames


def test_a_large_bound_takes_no_room_before_it_is_needed():
    bank = bank_of(MemoryPolicy(5, 10**9))
    fill(bank, 3)
    assert len(bank) == 2


def test_every_object_known_everywhere_needs_no_mask():
    bank = bank_of(MemoryPolicy(1, None))
    fill(bank, 3)
    assert bank.read(now=99).known is None


def test_an_object_may_not_read_frames_from_before_it_was_known():
    bank = bank_of(MemoryPolicy(1, None))
    bank.write(0, features(0, 1), Kind.REFERENCE, 1)
    bank.write(1, features(1, 2), Kind.REFERENCE, 2)
    known = bank.read(now=99).known
    assert known is not None
    cells = H * W
    assert known.tolist() == [[True] * 2 * cells, [False] * cells + [True] * cells]


def test_the_order_of_the_frames_does_not_matter_to_what_is_read():
    query = torch.randn(1, KEY, 5)
    read = []
    for order in ([0, 1, 2], [2, 0, 1]):
        bank = bank_of(MemoryPolicy(1, None))
        for frame in order:
            bank.write(frame, features(frame), Kind.REFERENCE, 1)
        key, value, known = bank.read(now=99)
        read.append(memory_read(key, value, query, known))
    torch.testing.assert_close(read[0], read[1])


@pytest.mark.parametrize("maximum", [4, None])
@pytest.mark.parametrize("frames", [0, 1, 7, 40])
def test_a_restored_bank_goes_on_exactly_as_the_one_it_was_taken_from(maximum, frames):
    bank = bank_of(MemoryPolicy(2, maximum))
    fill(bank, frames)
    other = bank_of(bank.policy)
    other.write(99, features(99, 3), Kind.REFERENCE, 3)  # what it held before must go
    other.restore(bank.snapshot(), torch.device("cpu"))
    for frame in range(frames, frames + 9):
        objects = 1 + (frame > frames + 3)
        for each in (bank, other):
            each.write(frame, features(frame, objects), kind_of(frame, 2), objects, given=range(objects - 1))
        assert other.frames == bank.frames
        for mine, theirs in zip(other.read(now=99), bank.read(now=99), strict=True):
            assert (mine is None) == (theirs is None)
            assert mine is None or torch.equal(mine, theirs)


@pytest.mark.parametrize("again", [0, 3, 6])
def test_a_frame_that_is_given_again_replaces_what_is_held_of_it(again):
    bank = bank_of(MemoryPolicy(3, None))
    fill(bank, 8)
    held = sorted(bank.frames)
    bank.write(again, features(50), Kind.REFERENCE, 1)
    assert sorted(bank.frames) == held
    key, _, _ = bank.read(now=99)
    place = bank.frames.index(again)
    assert torch.equal(key[:, :, place * H * W : (place + 1) * H * W], features(50).key.flatten(2))


def test_a_snapshot_does_not_change_when_the_bank_goes_on():
    bank = bank_of(MemoryPolicy(1, 2))
    fill(bank, 2)
    snapshot = bank.snapshot()
    before = {name: tensor.clone() for name, tensor in snapshot.items()}
    fill(bank, 6)
    assert all(torch.equal(snapshot[name], before[name]) for name in before)


@pytest.mark.parametrize(
    ("every", "maximum", "text"),
    [
        (0, 16, "memory_every must be at least 1, got 0"),
        (5, 1, r"at least 2 \(reference and previous frame\), got 1"),
        (5, -3, "got -3"),
    ],
)
def test_a_policy_that_cannot_work_is_refused(every, maximum, text):
    with pytest.raises(ConfigError, match=text):
        MemoryPolicy(every, maximum)
