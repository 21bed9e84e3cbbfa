"""Files of a few bytes that declare billions of pixels: refused by their headers, before anything is decoded."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib

import av
import numpy as np
import pytest
from PIL import Image, ImageFile

SIDES = (30_000, 16_000)


@pytest.fixture(autouse=True)
def _nothing_large_is_decoded(monkeypatch):
    load = ImageFile.ImageFile.load

    def watched(self):
        assert self.size[0] * self.size[1] < 10**6, "this picture should not have been decoded"
        return load(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", watched)


def gif(width: int, height: int, frames: int = 1) -> bytes:
    head = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + b"\0\0\0\xff\xff\xff"
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00"
    return head + frames * (b"\x21\xf9\x04\0\x0a\0\0\0" + frame) + b"\x3b"


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    blank = zlib.compress(bytes(2**20), 9)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", blank) + chunk(b"IEND", b"")


def jpeg(width: int, height: int) -> bytes:
    data = io.BytesIO()
    Image.new("L", (64, 64)).save(data, "JPEG")
    made = bytearray(data.getvalue())
    at = made.index(b"\xff\xc0")
    made[at + 5 : at + 9] = struct.pack(">HH", height, width)
    return bytes(made)


def tiff(width: int, height: int) -> bytes:
    data = io.BytesIO()
    Image.new("L", (64, 64)).save(data, "TIFF", compression="tiff_deflate")
    made = bytearray(data.getvalue())
    (start,) = struct.unpack("<I", made[4:8])
    (count,) = struct.unpack("<H", made[start : start + 2])
    for at in range(start + 2, start + 2 + 12 * count, 12):
        (tag,) = struct.unpack("<H", made[at : at + 2])
        if tag in (256, 257):
            made[at : at + 12] = struct.pack("<HHII", tag, 4, 1, width if tag == 256 else height)
    return bytes(made)


def is_about(problem: str, width: int, height: int) -> bool:
    """Pillow itself refuses the largest, by the number of their pixels."""
    return f"{width}x{height}" in problem or f"{width * height} pixels" in problem


PICTURES = {"a.gif": gif, "a.png": png, "a.jpg": jpeg, "a.tif": tiff}


@pytest.mark.parametrize("name", PICTURES)
def test_a_source(client, options, name):
    path = options.folders[0] / name
    path.write_bytes(PICTURES[name](*SIDES))
    answer = client.json("POST", "/projects", 422, json={"path": str(path)})
    assert is_about(answer["problem"], *SIDES)
    assert client.json("GET", "/projects") == []


@pytest.mark.parametrize("name", ["a.gif", "a.tif", "several.gif"])
def test_an_upload(client, name):
    data = gif(*SIDES, frames=2) if name == "several.gif" else PICTURES[name](*SIDES)
    answer = client.json("POST", f"/uploads?name={name}", 422, content=data)
    assert is_about(answer["problem"], *SIDES)
    assert list(client.http.app.services.workspace.projects.iterdir()) == []


@pytest.mark.parametrize("fit", ["true", "false"])
@pytest.mark.parametrize("name", PICTURES)
def test_the_mask_of_a_frame(client, clip, name, fit):
    project = client.open(clip)
    for sides in (SIDES, (7000, 7000)):
        path = f"/api/projects/{project}/masks/0/import?fit={fit}"
        answer = client.http.post(path, content=PICTURES[name](*sides))
        assert answer.status_code in (413, 422)
        assert is_about(answer.json()["problem"], *sides)


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_masks_of_all_frames(client, clip, name):
    project, data = client.open(clip), io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for index in range(10):
            archive.writestr(f"shot_{index:03d}{name[1:]}", PICTURES[name](7000, 7000))
    path = f"/projects/{project}/results?name=masks.zip&fit=true"
    ended = client.finish(client.json("POST", path, 202, content=data.getvalue()))
    assert "A mask declares 7000x7000 pixels" in ended["error"]["problem"]


@pytest.mark.parametrize(("codec", "pixels"), [("rawvideo", "bgr24"), ("ffv1", "yuv420p"), ("mjpeg", "yuvj420p")])
def test_a_video(client, options, codec, pixels):
    path = options.folders[0] / "a.avi"
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
        file.mux(stream.encode(frame.reformat(format=pixels)))
        file.mux(stream.encode(None))
    data = bytearray(path.read_bytes())
    at = data.index(b"strf")
    data[at + 12 : at + 20] = struct.pack("<ii", *SIDES)
    if codec == "mjpeg":  # what the container claims does not count here
        at = data.index(b"\xff\xc0")
        data[at + 5 : at + 9] = struct.pack(">HH", *SIDES[::-1])
    path.write_bytes(bytes(data))
    answer = client.json("POST", "/projects", 422, json={"path": str(path)})
    assert "no frame that can be decoded" in answer["problem"]
