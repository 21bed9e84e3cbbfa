"""OpenEXR frames: linear light as an editor's sRGB view shows it, windows, layers, and what is refused."""

import sys

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cyclevos.errors import CycleVOSError, MissingExtraError, VideoError
from cyclevos.media.open_source import open_source
from cyclevos.pictures.bounds import PictureTooLargeError
from cyclevos.pictures.exr import displayed, exr_size, read_exr
from cyclevos.pictures.images import camera_turn, read_image, upright_size

OpenEXR = pytest.importorskip("OpenEXR")
# Light and its sRGB level, by hand: 255 (1.055 light^(1/2.4) - 0.055), and 255 * 12.92 light where it is dark.
LIGHT = np.array([0.0, 0.002, 0.18, 0.5, 1.0, 16.0, -0.5, np.inf, np.nan], np.float32)
LEVELS = np.array([0, 7, 118, 188, 255, 255, 0, 255, 0], np.uint8)


def write(path, channels, window=None, display=None):
    """Write channels, arrays (H, W); windows are (left, top, right, bottom)."""
    height, width = next(iter(channels.values())).shape[:2]
    window = window or (0, 0, width - 1, height - 1)
    pair = {
        name: (np.array(box[:2], np.int32), np.array(box[2:], np.int32))
        for name, box in (("dataWindow", window), ("displayWindow", display or window))
    }
    header = {"type": OpenEXR.scanlineimage, "compression": OpenEXR.ZIP_COMPRESSION, **pair}
    OpenEXR.File(header, {name: np.ascontiguousarray(plane) for name, plane in channels.items()}).write(str(path))
    return path


def colours(height=4, width=6, kind=np.float16, prefix=""):
    rng = np.random.default_rng(3)
    return {f"{prefix}{name}": rng.random((height, width)).astype(kind) for name in "RGB"}


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_light_becomes_the_level_that_a_screen_shows(tmp_path, kind):
    plane = LIGHT.reshape(3, 3).astype(kind)
    path = write(tmp_path / "a.exr", {"R": plane, "G": plane, "B": np.zeros_like(plane)})
    image = read_image(path)
    np.testing.assert_array_equal(image[..., 0], LEVELS.reshape(3, 3))
    np.testing.assert_array_equal(image[..., 1], LEVELS.reshape(3, 3))
    assert not image[..., 2].any()
    assert (image.dtype, upright_size(path), camera_turn(path)) == (np.uint8, (3, 3), None)


def test_a_sequence_is_a_source_and_a_file_alone_too(tmp_path):
    for index in range(3):
        write(tmp_path / f"shot.{index:04d}.exr", {"Y": np.full((4, 6), index / 2, np.float32)})
    for place in (tmp_path, tmp_path / "shot.%04d.exr"):
        source = open_source(place)
        assert [int(frame.image[0, 0, 1]) for frame in source] == [0, 188, 255]
        assert source.frame_names[1] == "shot.0001"
    with pytest.raises(VideoError, match="one image of a sequence"):
        open_source(tmp_path / "shot.0001.exr")


def test_the_display_window_is_the_frame(tmp_path):
    channels = colours()
    path = write(tmp_path / "a.exr", channels, window=(-2, -1, 3, 2), display=(0, 0, 9, 7))
    image = read_exr(path)
    assert image.shape == (*exr_size(path), 3) == (8, 10, 3)
    for index, name in enumerate("RGB"):
        np.testing.assert_array_equal(image[:3, :4, index], displayed(channels[name])[1:, 2:])
    assert not image[3:].any()
    assert not image[:, 4:].any()
    apart = write(tmp_path / "b.exr", channels, window=(20, 20, 25, 23), display=(0, 0, 9, 7))
    assert not read_exr(apart).any()


def test_colours_are_found_by_name(tmp_path):
    main, other = colours(), colours(prefix="beauty.")
    other["beauty.R"][:] = 0
    expected = np.dstack([displayed(main[name]) for name in "RGB"])
    extra = {"A": np.zeros((4, 6), np.float16), "Z": np.zeros((4, 6), np.float32)}
    np.testing.assert_array_equal(read_exr(write(tmp_path / "a.exr", {**main, **other, **extra})), expected)
    only = read_exr(write(tmp_path / "b.exr", {**other, "Z": extra["Z"]}))
    np.testing.assert_array_equal(only, expected * np.array([0, 1, 1], np.uint8))
    for channels, says in [
        ({**other, **colours(prefix="diffuse.")}, r"2 layers of colours .*beauty\.B"),
        ({"Z": extra["Z"]}, "0 layers of colours"),
        ({name: np.ones((4, 6), np.uint32) for name in "RGB"}, "uint32"),
        ({"Y": extra["Z"], "RY": extra["Z"], "BY": extra["Z"]}, "luminance and chroma"),
    ]:
        with pytest.raises(VideoError, match=says):
            open_source(write(tmp_path / "c.exr", channels))


def test_a_large_claim_is_refused_before_it_is_decoded(tmp_path):
    path = write(tmp_path / "a.exr", colours(), display=(0, 0, 99999, 99999))
    for read in (read_exr, exr_size):
        with pytest.raises(PictureTooLargeError, match="100000x100000"):
            read(path)
    with pytest.raises(VideoError, match="100000x100000"):
        open_source(path)


def test_without_the_library_the_extra_is_named(tmp_path, monkeypatch):
    path = write(tmp_path / "a.exr", colours())
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cyclevos\[exr\]'"):
        open_source(path)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(position=st.integers(0, 500), spoilt=st.binary(min_size=1, max_size=8), kept=st.integers(0, 600))
def test_any_damage_gives_a_frame_or_our_error(tmp_path, position, spoilt, kept):
    path = write(tmp_path / "a.exr", colours())
    data = bytearray(path.read_bytes())
    data[position : position + len(spoilt)] = spoilt
    path.write_bytes(bytes(data[: max(kept, 4)]) if kept < 500 else bytes(data))
    try:
        source = open_source(path)
    except CycleVOSError:
        return
    assert next(iter(source)).image.shape == (*source.size, 3)
