"""Measures the memory that ``cyclevos segment`` needs for a 10,000-frame video and for a 4K video.

    python benchmarks/long_and_large.py                 both
    python benchmarks/long_and_large.py --only large

``long``   the demo clip, repeated to 10,000 frames, size 96 inside the network: RSS of the process after 1,000 frames,
           before the last hundred frames, and at the end, including the reports
``large``  twenty frames of the demo clip enlarged to 3840x2160, one object, default size: peak RSS
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import psutil
from PIL import Image

from cyclevos.media.open_source import open_source
from cyclevos.pictures.mask_files import read_mask

DEMO = Path(__file__).resolve().parents[1] / "src" / "cyclevos" / "demo"
CLIP = DEMO / "car-shadow.mp4"


def main() -> None:
    """Read the arguments and run the chosen parts."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=["long", "large"])
    parser.add_argument("--frames", type=int, default=10_000, help="length of the long video")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if arguments.only != "large":
            long(Path(folder), arguments.frames)
        if arguments.only != "long":
            large(Path(folder))


def long(folder: Path, frames: int) -> None:
    encode(folder / "long.mp4", frames, (256, 144))
    resize_mask(folder / "long.png", (256, 144))
    resident, seconds = segment(folder / "long.mp4", folder / "long.png", folder / "long", "--size", "96")
    early = next(memory for count, memory in resident if count >= 1000)
    late = next(memory for count, memory in resident if count >= frames - 100)
    print(
        f"long: {frames} frames in {seconds:.0f} s, RSS {early:.0f} MB after 1,000 frames, {late:.0f} MB before "
        f"the last hundred, {resident[-1][1]:.0f} MB at the end, {max(memory for _, memory in resident):.0f} MB at most"
    )


def large(folder: Path) -> None:
    encode(folder / "large.mp4", 20, (3840, 2160))
    resize_mask(folder / "large.png", (3840, 2160))
    resident, seconds = segment(folder / "large.mp4", folder / "large.png", folder / "large")
    print(
        f"large: 20 frames of 3840x2160 in {seconds:.0f} s, {max(memory for _, memory in resident):.0f} MB RSS at most"
    )


def encode(path: Path, frames: int, size: tuple[int, int]) -> None:
    pictures = [np.asarray(Image.fromarray(frame.image).resize(size)) for frame in open_source(CLIP)]
    pictures += pictures[-2:0:-1]  # forward, then backward: no jump at the end
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(24), options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for index in range(frames):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pictures[index % len(pictures)])))
        container.mux(stream.encode())


def resize_mask(path: Path, size: tuple[int, int]) -> None:
    mask = Image.fromarray(read_mask(CLIP.with_suffix(".png")).ids)
    mask.resize(size, Image.Resampling.NEAREST).save(path)


def segment(video: Path, mask: Path, output: Path, *options: str) -> tuple[list[tuple[int, float]], float]:
    """Run the command; return samples of (masks written, RSS in MB) over time, and the seconds it took."""
    command = [sys.executable, "-m", "cyclevos", "segment", str(video), "--masks", str(mask), "--output", str(output)]
    start = time.perf_counter()
    process = subprocess.Popen([*command, "--save", "masks", "--quiet", *options], stdout=subprocess.DEVNULL)
    watched, resident = psutil.Process(process.pid), []
    while process.poll() is None:
        try:
            memory = watched.memory_info().rss / 2**20
        except psutil.Error:
            break
        resident.append((sum(1 for _ in output.glob("*.png")), memory))
        time.sleep(0.5)
    if process.wait():
        raise SystemExit(f"segment failed: exit code {process.returncode}")
    return [pair for pair in resident if pair[1] > 0], time.perf_counter() - start


if __name__ == "__main__":
    main()
