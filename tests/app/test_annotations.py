"""Annotations of many frames are held packed: tracking a video whose every frame is accepted takes little memory."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from cyclevos.app.projects.annotations import Annotations
from cyclevos.app.projects.mask_pngs import Mark
from cyclevos.app.projects.mask_store import MaskStore

SIZE = (270, 480)


def shape(index: int) -> np.ndarray:
    ids = np.zeros(SIZE, np.uint8)
    ids[20:80, index : index + 60], ids[100:120, 5:9] = 1 + index % 2, 255
    return ids


def test_masks_come_back_as_they_were():
    given = Annotations((index, shape(index)) for index in (4, 7))
    np.testing.assert_array_equal(given[7], shape(7))
    given[7][:] = 0
    np.testing.assert_array_equal(given[7], shape(7), "what is done to a mask does not change what was given")
    assert given.objects == {4: (1, 255), 7: (2, 255)}
    assert list(given.showing(apart_from=[4])) == [7]
    more = given.beside({2: shape(2), 7: shape(9)})
    assert more.digests[4] == given.digests[4]
    assert more.digests[7] != given.digests[7]
    assert list(given) == [4, 7]
    with pytest.raises(KeyError):
        given[5]


def test_a_video_of_accepted_frames_takes_little_memory(tmp_path):
    store = MaskStore(tmp_path, SIZE)
    frames = 60
    for index in range(frames):
        store.write_mark(index, shape(index), Mark(frozenset([1]), accepted=index % 3 == 0))
    tracemalloc.start()
    try:
        given = store.given()
        held, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    whole = SIZE[0] * SIZE[1]
    assert held < frames * whole / 20
    assert most < frames * whole / 20 + 12 * whole
    np.testing.assert_array_equal(given[3], shape(3))
    assert given.objects[1] == (), "only the marked objects of a frame that is not accepted"


def test_a_change_after_tracking_began_is_not_seen(tmp_path):
    store = MaskStore(tmp_path, SIZE)
    store.write_mark(0, shape(0), Mark(frozenset([1])))
    given = store.given()
    store.write_mark(0, np.zeros(SIZE, np.uint8), Mark(frozenset([1])))
    assert given[0].any()
    assert store.given().digests[0] != given.digests[0]
