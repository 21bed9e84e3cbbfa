"""Mattes: the probabilities as Pillow and OpenEXR read them back."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from clips import scene, scene_ids
from PIL import Image

from cyclevos.errors import MissingExtraError
from cyclevos.media.appearance import Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import frames_from_arrays
from cyclevos.media.mattes import EXR, PNG, ExrMattes, PngMattes, first_missing_matte, remove_mattes

NAMES = Appearance(names={5: "a/b"})


def results(count=2, *, late=False):
    """Probabilities of a ramp; with `late`, the first frame knows only object 1."""
    ramp = np.linspace(0, 1, 48 * 64, dtype=np.float32).reshape(48, 64)
    for frame, ids in zip(frames_from_arrays(scene(count)), scene_ids(count), strict=True):
        known = [1] if late and frame.index == 0 else [5, 1]
        shown = np.where(np.isin(ids, known), ids, 0).astype(np.uint8)
        channels = np.stack([1 - ramp, ramp] if known == [1] else [1 - ramp, ramp * 0.25, ramp * 0.75])
        yield FrameResult(frame, shown, channels, known)


def write_all(writer, written):
    with writer:
        for result in written:
            writer.write(result)


def test_a_png_per_object_and_frame(tmp_path):
    write_all(PngMattes(tmp_path, [1, 5], NAMES), results(late=True))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["001", "005_a_b"]
    ramp = np.linspace(0, 1, 48 * 64).reshape(48, 64)
    for folder, name, share in (
        ("001", "00000", 1),
        ("005_a_b", "00000", 0),
        ("001", "00001", 0.75),
        ("005_a_b", "00001", 0.25),
    ):
        with Image.open(tmp_path / folder / f"{name}.png") as image:
            assert image.mode == "L"
            assert np.abs(np.asarray(image) - 255 * share * ramp).max() <= 0.6, (folder, name)


def test_an_exr_per_object_and_frame(tmp_path):
    library = pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")
    write_all(ExrMattes(tmp_path, [1, 5], NAMES), results())
    ramp = np.linspace(0, 1, 48 * 64).reshape(48, 64)
    for folder, share in (("001", 0.75), ("005_a_b", 0.25)):
        with library.File(str(tmp_path / folder / "00001.exr"), separate_channels=True) as file:
            channels = file.channels()
            assert sorted(channels) == ["B", "G", "R"]
            for each in channels.values():
                assert each.pixels.dtype == np.float16
                np.testing.assert_allclose(each.pixels, share * ramp, atol=5e-4)


@pytest.mark.parametrize(("kind", "suffix"), [(PngMattes, PNG), (ExrMattes, EXR)], ids=["png", "exr"])
def test_what_is_missing_is_named_and_what_is_ours_is_removed(tmp_path, kind, suffix):
    if kind is ExrMattes:
        pytest.importorskip("OpenEXR", reason="OpenEXR is not installed")
    names = ["00000", "00001"]
    assert first_missing_matte(tmp_path / "none", names, suffix) == "00000"
    write_all(kind(tmp_path, [1, 5], NAMES), results())
    assert first_missing_matte(tmp_path, names, suffix) is None
    assert first_missing_matte(tmp_path, [*names, "00002"], suffix) == "00002"
    kept = tmp_path / "001" / f"mine{suffix}"
    kept.write_bytes(b"\x76\x2f\x31\x01 of another program")
    (tmp_path / "005_a_b" / f"00001{suffix}").unlink()
    assert first_missing_matte(tmp_path, names, suffix) == "00001"
    remove_mattes(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [kept]
    assert not (tmp_path / "005_a_b").exists()


def test_mattes_need_probabilities_and_all_objects(tmp_path):
    result = next(results())
    with pytest.raises(ValueError, match="got none"):
        PngMattes(tmp_path, [1, 5]).write(FrameResult(result.frame, result.ids))
    with pytest.raises(ValueError, match=r"expected the objects \[1\], got \[5\] too"):
        PngMattes(tmp_path, [1]).write(result)
    assert list(tmp_path.iterdir()) == []


def test_without_openexr_the_pip_line_is_said(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(MissingExtraError) as caught:
        ExrMattes(tmp_path, [1])
    assert "pip install 'cyclevos[exr]'" in caught.value.remedy
