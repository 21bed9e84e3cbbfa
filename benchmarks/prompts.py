"""Time that a prompter takes for a box, for a click and for a click that repairs a mask, as ratios within one run.

    python benchmarks/prompts.py                          about a minute on two cores
    python benchmarks/prompts.py --only 480p --prompter my.safetensors --rounds 20

``box``     one box, which needs one look at the picture
``click``   one click, which needs a look at the whole picture and perhaps a closer one
``repair``  five clicks that repair a mask
``load``    a process of its own, from the start of Python to the first mask of a 480p picture; in brackets: times that
            of a process that imports torch and nothing else. Their files are in the system's cache.

The pictures are a frame of the demo clip at three sizes. They take turns, and the fastest of several rounds counts,
since other load on the machine only adds time. The first round, which does not count, is the first sight of a picture.
In brackets: times that of a box at 480p.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from cyclevos.media.open_source import open_source
from cyclevos.pictures.mask_files import read_mask
from cyclevos.prompts.boxes import bounds
from cyclevos.prompts.loading import load_prompter
from cyclevos.prompts.next_click import next_click
from cyclevos.prompts.prompter import Prompter
from cyclevos.prompts.prompts import Click

CLIP = Path(__file__).resolve().parents[1] / "src" / "cyclevos" / "demo" / "car-shadow.mp4"
SIZES = {"480p": (854, 480), "1080p": (1920, 1080), "4K": (3840, 2160)}
MEASURES = ("box", "click", "repair")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=list(SIZES))
    parser.add_argument("--prompter", default="default", help="name or file")
    parser.add_argument("--rounds", type=int, default=10, help="of which the fastest counts, after one to warm up")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--dtype", default="auto")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)  # the process whose start is measured
    arguments = parser.parse_args()
    prompter = load_prompter(arguments.prompter, device=arguments.device, dtype=arguments.dtype)
    if arguments.alone:
        Scene(prompter, SIZES["480p"]).box()
        return
    scenes = {name: Scene(prompter, SIZES[name]) for name in SIZES if name in (arguments.only or SIZES)}
    print(f"{prompter.name}, {torch.get_num_threads()} threads; fastest of {arguments.rounds}")
    seconds = in_turns(scenes, arguments.rounds)
    first = seconds[next(iter(scenes)), "box"]
    print(f"{'picture':<10}" + "".join(f"{measure:>18}" for measure in MEASURES))
    for name in scenes:
        cells = (f"{1000 * seconds[name, what]:.0f} ms ({seconds[name, what] / first:.1f})" for what in MEASURES)
        print(f"{name:<10}" + "".join(f"{cell:>18}" for cell in cells))
    own = [sys.executable, str(Path(__file__).resolve()), "--alone", "--prompter", arguments.prompter]
    ours = process_seconds([*own, "--device", arguments.device, "--dtype", arguments.dtype])
    torch_alone = process_seconds([sys.executable, "-c", "import torch"])
    print(f"load: {ours:.2f} s ({ours / torch_alone:.1f}), of which torch {torch_alone:.2f} s")


class Scene:
    """A picture of some size, with the prompts for each measurement."""

    def __init__(self, prompter: Prompter, size: tuple[int, int]) -> None:
        self._prompter = prompter
        frame = open_source(CLIP).frame(0).image
        ids = read_mask(CLIP.with_suffix(".png")).ids
        self._image = np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BILINEAR))
        truth = np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST)) > 0
        self._box = bounds(truth)
        self._click = five_clicks(truth, np.zeros_like(truth))[0]
        self._mask = np.roll(truth, size[0] // 40, axis=1)  # off by 2.5 % of the width
        self._repairs = five_clicks(truth, self._mask)

    def box(self) -> None:
        self._prompter(self._image, box=self._box)

    def click(self) -> None:
        self._prompter(self._image, points=[self._click[:2]])

    def repair(self) -> None:
        points, labels = [each[:2] for each in self._repairs], [int(each.positive) for each in self._repairs]
        self._prompter(self._image, points=points, labels=labels, mask=self._mask)


def five_clicks(truth: NDArray[np.bool_], found: NDArray[np.bool_]) -> list[Click]:
    """Return clicks on a mask's largest errors; each click puts right a square of 2.5 % of the width."""
    found, reach, clicks = found.copy(), truth.shape[1] // 80, list[Click]()
    while len(clicks) < 5:
        click = next_click(truth, found)
        if click is None:
            raise SystemExit("the mask has fewer than five errors")
        row, column = click.pixel
        around = np.s_[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
        found[around] = truth[around]
        clicks.append(click)
    return clicks


def in_turns(scenes: dict[str, Scene], rounds: int) -> dict[tuple[str, str], float]:
    """Return the least time of each measurement of each picture in seconds; the first round does not count."""
    times: dict[tuple[str, str], list[float]] = {}
    for _ in range(1 + rounds):
        for name, each in scenes.items():
            for what in MEASURES:
                start = time.perf_counter()
                getattr(each, what)()
                times.setdefault((name, what), []).append(time.perf_counter() - start)
    return {key: min(found[1:]) for key, found in times.items()}


def process_seconds(command: list[str]) -> float:
    """Return the least time of a process of its own in seconds, of three; the first reads its files from disk."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, check=True)
        times.append(time.perf_counter() - start)
    return min(times)


if __name__ == "__main__":
    main()
