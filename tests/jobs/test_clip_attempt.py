"""Peak memory of clips that run one after the other or at the same time."""

from __future__ import annotations

import pytest
import torch

from cyclevos.jobs.clip_attempt import PeakMemory


@pytest.fixture
def resets(monkeypatch) -> list[torch.device]:
    """Calls that count a GPU's peak memory anew."""
    found: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", found.append)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 5 * 2**20)
    return found


def test_a_clip_alone_on_a_gpu_has_a_count_of_its_own(resets):
    memory = PeakMemory(torch.device("cuda"))
    for expected in (1, 2):
        with memory.watched():
            assert memory.peak() == 5 * 2**20
        assert len(resets) == expected


def test_a_clip_that_starts_beside_another_does_not_reset_its_count(resets):
    memory = PeakMemory(torch.device("cuda"))
    with memory.watched():
        with memory.watched():
            assert len(resets) == 1
        with memory.watched():
            assert len(resets) == 1
    with pytest.raises(ValueError, match="broken"), memory.watched():
        raise ValueError("broken")
    with memory.watched():
        assert len(resets) == 3, "a clip that failed is not counted as running"


def test_on_a_cpu_it_is_that_of_the_process(resets):
    memory = PeakMemory(torch.device("cpu"))
    with memory.watched():
        peak = memory.peak()
    assert resets == []
    assert peak is None or peak > 10 * 2**20
