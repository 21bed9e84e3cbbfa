"""All masks as one NumPy file, written without holding them."""

from __future__ import annotations

import tracemalloc
import zipfile

import numpy as np
import pytest
from clips import scene, scene_ids

from cyclevos.errors import OutputError
from cyclevos.media.appearance import Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import Frame
from cyclevos.media.ids_archive import IdsArchive


def write_all(path, masks, times, names=None):
    with IdsArchive(path, Appearance(names=names or {})) as writer:
        for index, (ids, time) in enumerate(zip(masks, times, strict=True)):
            image = np.broadcast_to(np.uint8(0), (*ids.shape, 3))
            writer.write(FrameResult(Frame(index, f"shot_{index}", image, time), ids))


def test_numpy_reads_what_was_written(tmp_path):
    path = tmp_path / "masks.npz"
    write_all(path, scene_ids(3), [0.0, None, 0.5], {5: "Käse", 9: "never shown"})
    assert [each.name for each in tmp_path.iterdir()] == ["masks.npz"]
    with np.load(path, allow_pickle=False) as content:
        assert content["ids"].dtype == np.uint8
        np.testing.assert_array_equal(content["ids"], scene_ids(3))
        assert content["frame_names"].tolist() == ["shot_0", "shot_1", "shot_2"]
        np.testing.assert_array_equal(content["times"], [0, np.nan, 0.5])
        assert content["object_ids"].tolist() == [1, 5, 9]
        assert content["object_names"].tolist() == ["", "Käse", "never shown"]
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None


def test_memory_holds_one_frame_however_long_the_video(tmp_path):
    masks = scene_ids(4, 300, 400)
    count = 100  # 12 MB of ids
    tracemalloc.start()
    try:
        write_all(tmp_path / "masks.npz", (masks[k % 4] for k in range(count)), [None] * count)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 4 * 2**20
    with np.load(tmp_path / "masks.npz") as content:
        assert content["ids"].shape == (count, 300, 400)
        np.testing.assert_array_equal(content["ids"][-1], masks[(count - 1) % 4])


def test_stopped_half_way_it_leaves_nothing(tmp_path):
    writer = IdsArchive(tmp_path / "masks.npz")
    writer.write(FrameResult(Frame(0, "a", scene(1)[0]), scene_ids(1)[0]))
    writer.abort()
    IdsArchive(tmp_path / "masks.npz").close()
    assert list(tmp_path.iterdir()) == []


def test_masks_of_two_sizes_are_refused(tmp_path):
    with pytest.raises(OutputError, match=r"frame shot_1 is 32x24 and those before it 64x48"):
        write_all(tmp_path / "masks.npz", [scene_ids(1)[0], scene_ids(1, 24, 32)[0]], [None, None])
    assert list(tmp_path.iterdir()) == []
