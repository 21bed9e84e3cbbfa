"""Masks with their frames and probabilities: each frame its own, and nothing that is broken or too large is read."""

from __future__ import annotations

import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from clips import scene, scene_ids, write_images
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cyclevos.errors import MaskError
from cyclevos.exchange.joined import Footage, joined
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.media.open_source import open_source

SIZE = (48, 64)


def track(count=3, names=None) -> MaskTrack:
    masks = scene_ids(count)
    names = names or [f"{index:05d}" for index in range(count)]
    return MaskTrack("clip", lambda: (MaskFrame(k, names[k], ids) for k, ids in enumerate(masks)))


def probabilities(path, channels=3, object_ids=(1, 5), dtype=np.float16) -> None:
    path.parent.mkdir(exist_ok=True)
    values = np.full((channels, *SIZE), 0.25, dtype)
    np.savez_compressed(path, probabilities=values, object_ids=np.array(object_ids))


def claiming(header: str) -> bytes:
    """An .npz whose arrays claim what their header says and hold nothing."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, text in (
            ("object_ids", "{'descr': '<i8', 'fortran_order': False, 'shape': (2,), }"),
            ("probabilities", header),
        ):
            data = text.encode().ljust(117) + b"\n"
            archive.writestr(f"{name}.npy", b"\x93NUMPY\x01\x00" + len(data).to_bytes(2, "little") + data + bytes(16))
    return content.getvalue()


def test_each_mask_gets_its_frame_time_and_probabilities(tmp_path):
    source = open_source(write_images(tmp_path / "frames", scene(3)))
    for index in range(3):
        probabilities(tmp_path / "p" / f"m{index}.npz", object_ids=(index + 1, 5))
    results = list(joined(track(names=["m0", "m1", "m2"]), Footage(source, tmp_path / "p")))
    for index, result in enumerate(results):
        assert (result.name, result.index, result.object_ids) == (f"m{index}", index, [index + 1, 5])
        np.testing.assert_array_equal(result.frame.image, scene(3)[index])
        np.testing.assert_array_equal(result.ids, scene_ids(3)[index])
        assert result.probabilities.shape == (3, *SIZE)
    [alone, *_] = joined(track())
    assert not alone.frame.image.any()
    assert (alone.frame.time, alone.probabilities) == (None, None)


@pytest.mark.parametrize(
    "changes", [{"channels": 2}, {"object_ids": (1,)}, {"dtype": np.int32}, {"object_ids": (0.5, 1.5)}], ids=str
)
def test_probabilities_of_other_objects_are_refused(tmp_path, changes):
    probabilities(tmp_path / "p" / "00000.npz", **changes)
    with pytest.raises(MaskError, match=r"00000\.npz does not hold the probabilities of frame 00000"):
        list(joined(track(), Footage(None, tmp_path / "p")))


@pytest.mark.parametrize("shape", ["(3, 48, 2000000000)", "(2000000000, 48, 64)", "(3, 48, 64)", "(-1,)"])
def test_what_a_header_claims_is_not_believed(tmp_path, shape):
    (tmp_path / "00000.npz").write_bytes(claiming(f"{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}"))
    tracemalloc.start()
    try:
        with pytest.raises(MaskError, match="does not hold the probabilities"):
            list(joined(track(), Footage(None, tmp_path)))
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(place=st.integers(0, 10**6), value=st.binary(min_size=1, max_size=4), cut=st.integers(0, 3))
def test_a_damaged_file_is_read_or_refused_in_words(tmp_path, place, value, cut):
    path = tmp_path / "00000.npz"
    probabilities(path)
    data = bytearray(path.read_bytes())
    place %= len(data)
    data[place : place + len(value)] = value
    path.write_bytes(bytes(data[: len(data) * (4 - cut) // 4]))
    try:
        [result] = joined(track(1), Footage(None, tmp_path))
    except MaskError as error:
        told, shape = error.problem, (3, *SIZE)
    else:
        told, shape = "00000.npz does not hold", result.probabilities.shape
    assert "00000.npz does not hold" in told
    assert shape == (3, *SIZE)
