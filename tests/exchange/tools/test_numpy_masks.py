"""NumPy's arrays as masks: every shape that people save, what is ambiguous, and files that nobody should trust."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cyclevos.errors import MaskError
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import detect, read_track

IDS = np.array([[1, 1, 0], [0, 2, 2]], np.uint8)
STACK = np.stack([IDS == 1, IDS == 2])


def save(path, array=None, **arrays):
    if array is None:
        np.savez_compressed(path, **arrays)
    else:
        np.save(path, array)
    return path


def read(path, **options):
    return read_track(path, options=ReadOptions(**options))


def frames(path, **options):
    return [frame.ids.tolist() for frame in read(path, **options).frames()]


ONE_FRAME = {
    "ids": {"ids": IDS},
    "float": {"masks": IDS.astype(np.float32)},
    "int64": {"anything": IDS.astype(np.int64)},
    "channel": {"masks": IDS[None, ..., None]},
    "columns first": {"masks": np.asfortranarray(IDS)},
    "stack": {"masks": STACK},
    "stack of sam 2": {"masks": STACK[:, None], "obj_ids": np.array([1, 2])},
    "stack of numbers": {"masks": STACK.astype(np.uint8), "obj_ids": np.array([1, 2])},
    "stack of black and white": {"masks": STACK.astype(np.int16) * 255, "obj_ids": [1, 2]},
    "stack of a frame": {"masks": STACK[None], "object_ids": [1, 2]},
    "ids beside a list": {"masks": IDS, "obj_ids": [1, 2]},
}


@pytest.mark.parametrize("kind", ONE_FRAME)
def test_one_frame_in_every_dress(tmp_path, kind):
    path = save(tmp_path / "m.npz", **ONE_FRAME[kind])
    assert detect(path) == "npz"
    assert frames(path) == frames(path, length=12) == [IDS.tolist()]


def test_a_single_array_and_its_columns_first(tmp_path):
    for array in (IDS, np.asfortranarray(IDS), STACK, np.asfortranarray(STACK)):
        assert frames(save(tmp_path / "m.npy", array)) == [IDS.tolist()]


SEVERAL = {
    "ids": {"ids": np.stack([IDS, IDS * 0, IDS])},
    "objects": {"masks": np.stack([STACK, STACK & False, STACK]), "obj_ids": [1, 2]},
    "objects of sam 2": {"masks": np.stack([STACK, STACK & False, STACK])[:, :, None], "obj_ids": [1, 2]},
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_several_frames_by_their_places(tmp_path, kind):
    path = save(tmp_path / "m.npz", **SEVERAL[kind])
    assert read(path).by_position
    assert frames(path) == frames(path, length=3) == [IDS.tolist(), (IDS * 0).tolist(), IDS.tolist()]


def test_one_object_in_several_frames(tmp_path):
    one = STACK[0].astype(np.uint8)
    path = save(tmp_path / "a.npz", masks=np.stack([STACK[:1], STACK[1:]]), obj_ids=[7])
    assert frames(path) == [(one * 7).tolist(), ((IDS == 2) * 7).tolist()]
    path = save(tmp_path / "b.npy", np.stack([one, one, one]) * 255)
    assert frames(path, length=3) == [one.tolist()] * 3


def test_names_and_frame_names(tmp_path):
    path = save(
        tmp_path / "m.npz",
        ids=np.stack([IDS, IDS]) * 3,
        object_ids=np.array([3, 6]),
        object_names=np.array(["car", "box"]),
        frame_names=np.array(["a", "b"]),
        times=np.array([0.0, 0.04]),
    )
    track = read(path)
    assert dict(track.object_names) == {3: "car", 6: "box"}
    assert [frame.name for frame in track.frames()] == ["a", "b"]
    assert not track.by_position


def test_255_and_large_numbers(tmp_path):
    assert frames(save(tmp_path / "a.npy", (IDS == 1).astype(np.uint8) * 255)) == [(IDS == 1).astype(int).tolist()]
    ring = np.where(IDS == 2, 255, IDS)
    track = read(save(tmp_path / "b.npy", ring))
    assert next(track.frames()).ids.tolist() == (IDS == 1).astype(int).tolist()
    assert "255 beside other ids marks unknown pixels" in track.notes[0]
    assert frames(save(tmp_path / "c.npz", ids=ring, object_ids=[1, 255])) == [ring.tolist()]
    track = read(save(tmp_path / "d.npy", IDS.astype(np.uint32) * 1000))
    assert next(track.frames()).ids.tolist() == IDS.tolist()
    assert "1000 is object 1, 2000 is object 2" in track.notes[0]


@pytest.mark.parametrize(
    ("arrays", "length", "said"),
    [
        ({"masks": STACK}, 2, "may be 2 objects of the first frame or one object in 2 frames"),
        ({"masks": STACK.astype(np.uint8)}, 12, "may be 2 objects of the first frame or one object in 2 frames"),
        ({"masks": np.stack([IDS] * 5)}, 3, "masks of 5 frames, but the video has 3 frames"),
        ({"masks": STACK, "obj_ids": [1, 2, 3]}, 9, r"shape \(2, 2, 3\) beside 3 object ids"),
        ({"masks": np.zeros((300, 2, 3), bool)}, None, r"it cannot be told what masks of the shape \(300, 2, 3\)"),
        ({"masks": IDS * 0.5}, None, r"float64 numbers that are not whole.*logits > 0"),
        ({"masks": IDS.astype(np.int8) - 1}, None, "numbers from -1 to"),
        ({"masks": IDS.astype(np.uint64) << 60}, None, "expected ids of up to 255 objects"),
        ({"masks": np.arange(4000).reshape(50, 80)}, None, "expected ids of up to 255 objects"),
        ({"masks": IDS.astype(complex)}, None, "the masks are complex128"),
        ({"masks": IDS[:0]}, None, r"of the shape \(0, 3\)"),
        ({"a": IDS, "b": IDS}, None, r"holds a \(2, 3\), b \(2, 3\); expected one array"),
        ({"obj_ids": [1]}, None, "expected one array of masks"),
        ({"masks": STACK, "obj_ids": [1, 1]}, None, "two objects have the same id"),
        ({"probabilities": np.zeros((2, 2, 3), np.float16), "object_ids": [1]}, None, "the probabilities of one frame"),
    ],
)
def test_what_cannot_be_told_is_refused_by_name(tmp_path, arrays, length, said):
    with pytest.raises(MaskError, match=said):
        frames(save(tmp_path / "m.npz", **arrays), length=length)


def test_pickles_are_never_opened(tmp_path):
    path = tmp_path / "m.npy"
    np.save(path, np.array([{"a": 1}]), allow_pickle=True)
    with pytest.raises(MaskError, match="Pickles are never opened"):
        read(path)


def claiming(shape, kind="|u1"):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}".encode()
    header += b" " * (118 - len(header) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(64)


@pytest.mark.parametrize("shape", [(60000, 60000), (10**12, 1, 1), (8, 8, 10**15), (2, -3), (10**5, 9000, 9000)])
@pytest.mark.parametrize("packed", [False, True])
def test_a_header_that_claims_too_much_costs_nothing(tmp_path, shape, packed):
    path = tmp_path / ("m.npz" if packed else "m.npy")
    if packed:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("ids.npy", claiming(shape))
    else:
        path.write_bytes(claiming(shape))
    tracemalloc.start()
    try:
        with pytest.raises(MaskError):
            frames(path)
        assert tracemalloc.get_traced_memory()[1] < 90 * 2**20
    finally:
        tracemalloc.stop()


def good():
    with io.BytesIO() as file:
        np.savez_compressed(file, masks=STACK, obj_ids=np.array([1, 2]))
        return file.getvalue()


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from([good(), claiming((2, 3)), claiming((4, 2, 2), "|b1"), b""]), st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory, data, content, cut):
    path = tmp_path_factory.mktemp("n") / "m.npz"
    place = data.draw(st.integers(0, len(content)))
    changed = data.draw(st.binary(max_size=6))
    path.write_bytes(content[:place] + changed + (b"" if cut else content[place + len(changed) :]))
    try:
        types = {frame.ids.dtype for frame in read(path).frames()}
    except MaskError as error:
        types, refusal = set(), str(error)
        assert refusal.startswith(str(path))
    assert types <= {np.dtype(np.uint8)}


@pytest.mark.parametrize("name", ["../../a", "/a", "a\\b", "a\ud800", ""])
def test_a_frame_name_that_leads_out_of_the_results_is_refused(tmp_path, name):
    path = save(tmp_path / "m.npz", ids=np.stack([IDS, IDS]), frame_names=np.array([name, "b"]))
    with pytest.raises(MaskError, match="names a frame"):
        read(path)


def test_a_shape_of_more_values_than_can_be_written_is_refused(tmp_path):
    path = tmp_path / "m.npz"
    with zipfile.ZipFile(path, "w") as archive, io.BytesIO() as file:
        np.save(file, IDS)
        archive.writestr("ids.npy", file.getvalue())
        archive.writestr("obj_ids.npy", claiming((int("9" * 4300),) * 2))
    with pytest.raises(MaskError, match="claims more than"):
        read(path)


@pytest.mark.parametrize("kind", [np.uint8, np.int32, np.float32])
def test_a_large_picture_takes_little_more_than_its_own_bytes(tmp_path, kind):
    ids = np.zeros((4000, 4000), kind)
    ids[-1, -1] = 7
    path = save(tmp_path / "m.npz", ids=ids)
    tracemalloc.start()
    try:
        (frame,) = read(path).frames()
        assert frame.ids[-1, -1] == 7
        assert tracemalloc.get_traced_memory()[1] < 3 * ids.nbytes + 100 * 2**20
    finally:
        tracemalloc.stop()


def test_a_picture_of_more_bytes_than_any_frame_needs_is_refused(tmp_path):
    path = tmp_path / "m.npy"
    path.write_bytes(claiming((9000, 9000), "<f8"))
    with pytest.raises(MaskError, match="pictures of 648,000,000 bytes"):
        frames(path)
