"""A header that claims more pixels than memory holds costs nothing."""

import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from cyclevos.errors import MaskError, VideoError
from cyclevos.media.open_source import open_source
from cyclevos.media.video_decoding import decode
from cyclevos.media.video_file import VideoFile
from cyclevos.pictures import bounds
from cyclevos.pictures.bounds import MAX_PIXELS, PictureTooLargeError, check_pixels
from cyclevos.pictures.headers import declared_size
from cyclevos.pictures.images import read_image
from cyclevos.pictures.mask_files import read_mask

SIDE = 16000


def gif(side=SIDE):
    screen = struct.pack("<HHBBB", side, side, 0x80, 0, 0)
    picture = b"," + struct.pack("<HHHHB", 0, 0, side, side, 0) + b"\x02\x02\x4c\x01\x00;"
    return b"GIF89a" + screen + b"\0\0\0\xff\xff\xff" + picture + bytes(40)


def png(side=SIDE):
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + header + bytes(40)


def webp(side=SIDE):
    size = (side - 1).to_bytes(3, "little")
    content = b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + size + size + bytes(40)
    return b"RIFF" + struct.pack("<I", len(content)) + content


def bmp(side=SIDE):
    return b"BM" + struct.pack("<IHHI", 100, 0, 0, 54) + struct.pack("<IiiHH", 40, side, -side, 1, 24) + bytes(60)


BOMBS = {"a.gif": gif(), "a.png": png(), "a.webp": webp(), "a.bmp": bmp()}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_file_that_claims_a_huge_picture_is_refused_before_anything_is_allocated(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(BOMBS[name])
    tracemalloc.start()
    try:
        assert declared_size(path) == (SIDE, SIDE)
        with pytest.raises(PictureTooLargeError, match="16000x16000 pixels, 256,000,000 in all"):
            read_image(path)
        with pytest.raises(VideoError, match=rf"{name}.*declares 16000x16000.*at most 89,478,485"):
            open_source(path)
        with pytest.raises(MaskError, match=rf"{name}.*declares 16000x16000"):
            read_mask(path)
        assert tracemalloc.get_traced_memory()[1] < 4 * 2**20
    finally:
        tracemalloc.stop()


def test_ffmpeg_too_is_told_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "a.gif"
    path.write_bytes(gif(2000))
    assert VideoFile(path).size == (2000, 2000)
    monkeypatch.setattr("cyclevos.media.video_opening._check_declared_size", lambda path: None)
    path.write_bytes(gif())
    with pytest.raises(VideoError, match="no frame that can be decoded"):
        next(decode(path))


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.bmp", "a.webp", "lossless.webp", "animated.webp"])
def test_the_declared_size_is_that_of_the_picture(tmp_path, name):
    image = Image.fromarray(np.zeros((5, 300, 3), np.uint8))
    options = {"lossless": True} if "less" in name else {}
    if "animated" in name:
        options = {"save_all": True, "append_images": [Image.fromarray(np.full((5, 300, 3), 9, np.uint8))]}
    image.save(tmp_path / name, **options)
    assert declared_size(tmp_path / name) == (300, 5)


def test_other_files_declare_nothing(tmp_path):
    path = tmp_path / "a.jpg"
    Image.fromarray(np.zeros((5, 7, 3), np.uint8)).save(path)
    assert declared_size(path) is None
    path.write_bytes(b"GIF89a")
    assert declared_size(path) is None


def test_pictures_whose_header_only_pillow_reads_are_held_to_the_limit(tmp_path, monkeypatch):
    path = tmp_path / "a.tif"
    Image.fromarray(np.zeros((5, 7), np.uint8)).save(path)
    monkeypatch.setattr(bounds, "MAX_PIXELS", 34)
    with pytest.raises(PictureTooLargeError, match="7x5 pixels, 35 in all"):
        read_image(path)


def test_the_limit_is_inclusive():
    check_pixels(1, MAX_PIXELS)
    with pytest.raises(PictureTooLargeError):
        check_pixels(1, MAX_PIXELS + 1)
