"""Masks whose sides are swapped are never stretched: they are named, and turned where the user asks for it."""

from __future__ import annotations

import numpy as np
import pytest
from clips import ROTATE_CLOCKWISE, SHARED, patch_display_matrix, scene, scene_ids, write_video
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from cyclevos.errors import MaskError
from cyclevos.exchange.given.given_masks import read_source_masks
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.media.open_source import open_source
from cyclevos.pictures.images import read_image
from cyclevos.pictures.mask_files import read_mask

RAW = (30, 20)  # height, width of the raw pixels
ORIENTATION = 0x0112


@pytest.fixture
def raw_mask(tmp_path):
    ids = np.zeros(RAW, np.uint8)
    ids[2:6, 1:9], ids[20:28, 15:18] = 1, 2
    Image.fromarray(ids).save(tmp_path / "mask.png")
    return ids


def frames(folder, tag, raw=None):
    folder.mkdir()
    exif = Image.Exif()
    if tag is not None:
        exif[ORIENTATION] = tag
    picture = np.zeros((*RAW, 3), np.uint8) if raw is None else np.dstack([raw * 100] * 3)
    for index in range(2):
        Image.fromarray(picture).save(folder / f"{index:05d}.png", exif=exif)
    return open_source(folder)


@pytest.mark.parametrize("tag", [5, 6, 7, 8])
def test_auto_turns_a_mask_exactly_as_its_frame_is_turned(tmp_path, raw_mask, caplog, tag):
    source = frames(tmp_path / "frames", tag, raw_mask)
    mask = read_source_masks(tmp_path / "mask.png", source, MaskReading(turn="auto"))[0]
    np.testing.assert_array_equal(mask.ids * 100, read_image(tmp_path / "frames" / "00000.png")[..., 0])
    assert "as its frame is for display" in caplog.text


def test_swapped_sides_are_named_with_the_turn_that_is_right(tmp_path, raw_mask):
    source = frames(tmp_path / "frames", 6)
    for reading in (MaskReading(), MaskReading(fit=True)):
        with pytest.raises(MaskError, match=r"20x30 but the video is 30x20.*sides are swapped.*to the right") as error:
            read_source_masks(tmp_path / "mask.png", source, reading)
        assert "--turn-mask auto" in error.value.remedy
        assert "--fit-mask" not in str(error.value)


def test_without_a_tag_the_user_says_the_direction(tmp_path, raw_mask):
    (tmp_path / "frames").mkdir()
    for index in range(2):
        Image.new("RGB", RAW).save(tmp_path / "frames" / f"{index:05d}.png")  # upright, 30 wide
    source = open_source(tmp_path / "frames")
    with pytest.raises(MaskError, match="--turn-mask left or --turn-mask right"):
        read_source_masks(tmp_path / "mask.png", source, MaskReading(fit=True))
    with pytest.raises(MaskError, match="no EXIF orientation"):
        read_source_masks(tmp_path / "mask.png", source, MaskReading(turn="auto"))
    for way, expected in (("left", np.rot90(raw_mask)), ("right", np.rot90(raw_mask, -1))):
        found = read_source_masks(tmp_path / "mask.png", source, MaskReading(turn=way))[0]
        np.testing.assert_array_equal(found.ids, expected)


def test_a_small_mask_on_its_side_is_not_stretched(tmp_path, raw_mask):
    source = frames(tmp_path / "frames", 6)
    Image.fromarray(raw_mask[::2, ::2].copy()).save(tmp_path / "small.png")
    with pytest.raises(MaskError, match="sides are swapped"):
        read_source_masks(tmp_path / "small.png", source, MaskReading(fit=True))
    found = read_source_masks(tmp_path / "small.png", source, MaskReading(fit=True, turn="auto"))[0]
    assert found.size == (20, 30)


def test_a_mask_of_another_shape_is_stretched_with_a_warning(tmp_path, raw_mask, caplog):
    source = frames(tmp_path / "frames", None)
    Image.fromarray(raw_mask[::2, ::2].copy()).save(tmp_path / "half.png")
    Image.fromarray(raw_mask[:20]).save(tmp_path / "crop.png")
    assert read_source_masks(tmp_path / "half.png", source, MaskReading(fit=True))[0].size == RAW
    assert not caplog.records
    given = read_source_masks(tmp_path / "crop.png", source, MaskReading(fit=True))
    assert given[0].size == RAW
    (note,) = given.notes
    assert "crop.png: it was stretched from 20x20 to 20x30, which have different shapes." in note
    assert note in caplog.text


def test_a_turn_that_is_wrong_is_named(tmp_path, raw_mask):
    source = frames(tmp_path / "frames", None)
    assert read_source_masks(tmp_path / "mask.png", source)[0].size == RAW
    with pytest.raises(MaskError, match=r"Leave out --turn-mask"):
        read_source_masks(tmp_path / "mask.png", source, MaskReading(turn="left"))


def test_the_case_of_a_phone(cases, tmp_path):
    truth = np.load(cases / "masks" / "ids.npy")
    raw = np.rot90(truth)  # tag 6: shown turned to the right
    Image.fromarray(raw.astype(np.uint8)).save(tmp_path / "raw.png")
    source = open_source(cases / "frames" / "exif")
    with pytest.raises(MaskError, match="sides are swapped"):
        read_source_masks(tmp_path / "raw.png", source, MaskReading(fit=True))
    found = read_source_masks(tmp_path / "raw.png", source, MaskReading(turn="auto"))[0]
    np.testing.assert_array_equal(found.ids, truth)


@pytest.mark.parametrize("turn", ["no", "auto"])
def test_a_mask_s_header_is_held_against_the_video_before_it_is_decoded(tmp_path, turn, monkeypatch):
    source = frames(tmp_path / "frames", 6)
    path = tmp_path / "mask.png"
    Image.fromarray(np.zeros((8000, 8000), np.uint8)).save(path)  # 64 MB from 60 kB
    monkeypatch.setattr(PngImageFile, "load", lambda _: pytest.fail("decoded"))
    with pytest.raises(MaskError, match=r"mask\.png is 8000x8000 but the video is 30x20"):
        read_source_masks(path, source, MaskReading(turn=turn))


@pytest.mark.parametrize("matrix", [ROTATE_CLOCKWISE, (0, -(1 << 16), 0, 1 << 16, 0, 0, 0, 0, 1 << 30)])
def test_auto_turns_a_mask_as_the_video_says(tmp_path, matrix, caplog):
    ids = scene_ids(1)[0]
    stored = np.where(ids[..., None] == 5, 255, np.where(ids[..., None] == 1, 120, 0)).astype(np.uint8).repeat(3, -1)
    video = write_video(tmp_path / "phone.mp4", [stored] * 2)
    patch_display_matrix(video, matrix)
    Image.fromarray(ids).save(tmp_path / "mask.png")
    source = open_source(video)
    with pytest.raises(MaskError, match=r"64x48 but the video is 48x64.*Use --turn-mask auto"):
        read_source_masks(tmp_path / "mask.png", source)
    mask = read_source_masks(tmp_path / "mask.png", source, MaskReading(turn="auto"))[0]
    shown = next(iter(source)).image[..., 1]
    assert (np.digitize(shown, [60, 190]) == np.digitize(mask.ids, [1, 5])).mean() > 0.95
    assert "as its frame is for display" in caplog.text


def test_a_video_that_is_not_turned_turns_no_mask(tmp_path):
    source = open_source(write_video(tmp_path / "clip.mp4", scene(2)))
    Image.fromarray(np.ones((64, 48), np.uint8)).save(tmp_path / "mask.png")
    with pytest.raises(MaskError, match="its video no rotation"):
        read_source_masks(tmp_path / "mask.png", source, MaskReading(turn="auto"))


def test_a_phone_s_real_video_turns_the_mask_of_its_pixels(tmp_path):
    folder = SHARED / "cases"
    if not folder.is_dir():
        pytest.skip(f"{folder} is not here")
    source = open_source(folder / "video" / "rotated.mov")
    upright = read_mask(folder / "masks" / "ok.png")
    turn = source.camera_turn(0)
    back = {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }
    raw = Image.fromarray(upright.ids).transpose(back.get(turn, turn))
    raw.save(tmp_path / "raw.png")
    found = read_source_masks(tmp_path / "raw.png", source, MaskReading(turn="auto"))[0]
    np.testing.assert_array_equal(found.ids, upright.ids)
