"""Masks of a whole video, held compressed: in memory up to a bound, beyond it on disk."""

from __future__ import annotations

import errno
import tempfile
import tracemalloc

import numpy as np
import pytest

from cyclevos.errors import OutputError
from cyclevos.exchange.given import packed_masks
from cyclevos.exchange.given.packed_masks import PackedMasks
from cyclevos.pictures.mask_files import MaskImage


def noise(seed: int) -> MaskImage:
    """A mask that hardly compresses."""
    return MaskImage(np.random.default_rng(seed).integers(0, 256, (100, 1000), np.uint8))


def test_masks_beyond_the_bound_are_the_same_and_take_no_memory(monkeypatch):
    monkeypatch.setattr(packed_masks, "_IN_MEMORY", 2**20)
    tracemalloc.start()
    try:
        held = PackedMasks()
        for index in range(60):
            held[index] = noise(index)
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 3 * 2**20
    assert all(np.array_equal(held[index].ids, noise(index).ids) for index in (59, 0, 30))


def test_masks_at_other_indices_outlive_those_they_were_made_from(monkeypatch):
    monkeypatch.setattr(packed_masks, "_IN_MEMORY", 1000)
    held = PackedMasks()
    for index in range(3):
        held[index] = noise(index)
    held[1] = noise(7)
    moved = held.at({10: 1, 11: 2})
    del held
    assert list(moved) == [10, 11]
    assert np.array_equal(moved[10].ids, noise(7).ids)
    assert np.array_equal(moved[11].ids, noise(2).ids)


def test_a_full_folder_of_temporary_files_is_said(monkeypatch):
    held = PackedMasks()

    def full(_) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(held._spool._file, "write", full)
    with pytest.raises(OutputError, match=tempfile.gettempdir()):
        held[0] = noise(0)
