"""Real files for the tests: a textured scene with moving discs, encoded by PyAV and Pillow."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from PIL import Image

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
ROTATE_CLOCKWISE = (0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30)


def scene(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Frames that all differ: a drifting texture under two discs on their way."""
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    frames = []
    for t in range(count):
        image = np.stack(
            [
                128 + 60 * np.sin(rows / 5 + t / 3) + 40 * np.cos(columns / 7),
                128 + 80 * np.sin((rows + columns) / 9 - t / 4),
                90 + 2.0 * columns * 50 / width + 20 * np.sin(rows / 2),
            ],
            axis=-1,
        )
        disc = (rows - height / 2) ** 2 + (columns - (3 * t + 5) % width) ** 2 < (height / 5) ** 2
        image[disc] = [230, 40, 40]
        frames.append(image.clip(0, 255).astype(np.uint8))
    return frames


def scene_ids(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """The masks of `scene`: the disc as id 1 and a resting square as id 5."""
    rows, columns = np.mgrid[0:height, 0:width].astype(float)
    masks = []
    for t in range(count):
        ids = np.zeros((height, width), np.uint8)
        ids[: height // 4, : width // 4] = 5
        ids[(rows - height / 2) ** 2 + (columns - (3 * t + 5) % width) ** 2 < (height / 5) ** 2] = 1
        masks.append(ids)
    return masks


def write_video(
    path: Path,
    frames: Iterable[np.ndarray],
    *,
    codec: str = "libx264",
    rate: int = 25,
    pts: list[int] | None = None,
    gop: int = 12,
    b_frames: int = 0,
    pix_fmt: str = "yuv420p",
    container_options: dict[str, str] | None = None,
    options: dict[str, str] | None = None,
) -> Path:
    """Encode frames; `pts` are in 1/rate seconds."""
    frames = list(frames)
    with av.open(str(path), "w", options=container_options or {}) as container:
        stream = container.add_stream(codec, rate=rate, options=options or {})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pix_fmt
        stream.gop_size = gop
        stream.max_b_frames = b_frames
        stream.time_base = Fraction(1, rate)
        for index, image in enumerate(frames):
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts = index if pts is None else pts[index]
            picture.time_base = Fraction(1, rate)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def read_with_alpha(path: Path) -> tuple[list[np.ndarray], list[float]]:
    """RGBA frames of a video with alpha, and their times in seconds.

    FFmpeg's own VP9 decoder leaves the alpha out; on several threads, its conversion of frames may spoil rows of it.
    """
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        decoder = av.CodecContext.create("libvpx-vp9", "r") if path.suffix == ".webm" else stream.codec_context
        frames = [frame for packet in container.demux(stream) for frame in decoder.decode(packet)]
    assert all("yuva" in frame.format.name for frame in frames), frames[0].format.name
    try:
        converted = [frame.reformat(format="rgba", threads=1) for frame in frames]
    except TypeError:  # an older PyAV, which converts on one
        converted = [frame.reformat(format="rgba") for frame in frames]
    return [frame.to_ndarray() for frame in converted], [frame.time for frame in frames]


def damage_packet(path: Path, number: int, share: float = 0.0) -> None:
    """Spoil 60 bytes of a video's packet, in the order of the file, from this share of its length on."""
    with av.open(str(path)) as container:
        packet = [packet for packet in container.demux(video=0) if packet.size][number]
        start, end = packet.pos + int(packet.size * share), packet.pos + packet.size
    data = bytearray(path.read_bytes())
    for position in range(start, min(start + 60, end)):
        data[position] ^= 0x5A
    path.write_bytes(bytes(data))


def patch_display_matrix(path: Path, matrix: tuple[int, ...]) -> None:
    """Write a display matrix into an mp4's (only) track header, as a phone does."""
    data = bytearray(path.read_bytes())
    content = data.index(b"tkhd") + 4
    assert data[content] == 0, "version 0 of the box, with 32-bit times"
    start = content + 40  # version, times, ids, duration, reserved, layer, group, volume come before
    data[start : start + 36] = struct.pack(">9i", *matrix)
    path.write_bytes(bytes(data))


def write_images(folder: Path, frames: Iterable[np.ndarray], suffix: str = ".png", start: int = 0) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(frames):
        Image.fromarray(image).save(folder / f"{index + start:05d}{suffix}")
    return folder


def images_of(frames: Iterable) -> list[np.ndarray]:
    return [frame.image for frame in frames]


def closeness(first: np.ndarray, second: np.ndarray) -> float:
    """Mean absolute difference in grey levels."""
    return float(np.abs(first.astype(float) - second.astype(float)).mean())
