"""Measures what pruning does to J and to islands, on sequences as they are and on objects that leave and return.

python scripts/prune_evidence.py data/DAVIS-2016 --weights runs/half-b/last.safetensors --sequences hike lucia \
    --frames 40 --size 384 --output runs/prune.jsonl
python scripts/prune_evidence.py data/DAVIS-2016 --pasted --frames 40 --size 384 --output runs/prune-pasted.jsonl

The sequences should be such that the network was not trained on them. With --pasted, the object of each is pasted into
the next one: it crosses behind a wall, leaves on the right and comes back there, or leaves on the right and comes back
on the left. Repeat the same command to do only what is missing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import cyclevos
from cyclevos import Correction
from cyclevos.datasets.layouts import Dataset, Sequence, open_dataset
from cyclevos.evaluation.islands import has_island
from cyclevos.evaluation.measures import region_similarity
from cyclevos.network.protocol import MemoryNetwork

HELD_BACK = ("car-turn", "dance-jump", "mallard-fly", "scooter-gray")  # of the packaged network
WAYS = ("wall", "leave", "hop")
CORRECTIONS = {
    "off": None,
    "prune": Correction(steps=0, prune=True),
    "steps": Correction.preset("default", prune=False),
    "both": Correction.preset("default", prune=True),
}

Frames = list[NDArray[np.uint8]]
Clip = tuple[str, Frames, Frames]


def main() -> None:
    """Read the arguments, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--sequences", nargs="+", default=HELD_BACK)
    parser.add_argument("--pasted", action="store_true", help="objects that leave and return, made of the sequences")
    parser.add_argument("--frames", type=int, help="first frames of each sequence; all by default")
    parser.add_argument("--size", default="auto", help="shorter side inside the network")
    parser.add_argument("--corrections", nargs="+", choices=CORRECTIONS, default=["off", "prune"])
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, one for each clip and correction")
    arguments = parser.parse_args()
    network = cyclevos.load_network(arguments.weights)
    dataset = open_dataset(arguments.dataset, split=arguments.split).select(arguments.sequences)
    size = arguments.size if arguments.size == "auto" else int(arguments.size)
    make = pasted_clips if arguments.pasted else plain_clips
    for clip in make(dataset, arguments.frames):
        for name in arguments.corrections:
            if (clip[0], name) not in {(row["clip"], row["correction"]) for row in rows(arguments.output)}:
                measure(network, clip, size, name, arguments.output)
    print(table(rows(arguments.output), arguments.corrections))


def plain_clips(dataset: Dataset, count: int | None) -> Iterator[Clip]:
    """Give each sequence with its masks."""
    for sequence in dataset:
        yield sequence.name, *read(sequence, count)


def pasted_clips(dataset: Dataset, count: int | None) -> Iterator[Clip]:
    """Give the object of each sequence in the frames of the next one, on each of the three ways."""
    names = [sequence.name for sequence in dataset]
    for way in WAYS:
        for at, name in enumerate(names):
            ground = dataset.sequences[(at + 1) % len(names)]
            frames, masks = pasted(read(dataset.sequences[at], count), read(ground, count)[0], way)
            first = next(t for t, mask in enumerate(masks) if mask.any())
            yield f"{way}-{name}-on-{ground.name}", frames[first:], masks[first:]


def read(sequence: Sequence, count: int | None) -> tuple[Frames, Frames]:
    """Read frames and masks, in which ignored pixels are background."""
    paths = sequence.frames[:count]
    masks = [sequence.masks.read(sequence.annotations[path.stem]).ids for path in paths]
    frames = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
    return frames, [np.where(ids == 1, 1, 0).astype(np.uint8) for ids in masks]


def pasted(source: tuple[Frames, Frames], ground: Frames, way: str) -> tuple[Frames, Frames]:
    """Paste an object into other frames."""
    height, width = ground[0].shape[:2]
    coarse = (max(2, height // 16), max(2, width // 16), 3)
    blotches = Image.fromarray(np.random.default_rng(0).integers(40, 200, coarse, dtype=np.uint8))
    wall = np.asarray(blotches.resize((width, height), Image.Resampling.BICUBIC))
    behind = slice(round(0.43 * width), round(0.57 * width)) if way == "wall" else slice(0)
    frames, masks = [], []
    count = min(len(source[0]), len(ground))
    for t in range(count):
        done = t / (count - 1)
        centre = {
            "wall": 0.15 + 0.7 * done,
            "leave": 0.6 + 0.75 * (1 - abs(2 * done - 1)),
            "hop": (0.6 + 1.6 * done) % 1.4 - 0.2,
        }[way]
        frame, mask = paste(source[0][t], source[1][t] > 0, ground[t], (0.55 * height, centre * width))
        frame[:, behind], mask[:, behind] = wall[:, behind], 0
        frames.append(frame)
        masks.append(mask)
    return frames, masks


def paste(
    image: NDArray[np.uint8], mask: NDArray[np.bool_], ground: NDArray[np.uint8], centre: tuple[float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return a copy of the ground with the object at a centre (y, x), shrunk where it is large, and its mask."""
    frame, shown = ground.copy(), np.zeros(ground.shape[:2], np.uint8)
    if not mask.any():
        return frame, shown
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    high, wide = mask[box].shape
    scale = min(1.0, 0.55 * shown.shape[0] / high, 0.35 * shown.shape[1] / wide)
    size = max(4, round(wide * scale)), max(4, round(high * scale))
    cut = np.asarray(Image.fromarray(image[box]).resize(size, Image.Resampling.BICUBIC))
    solid = Image.fromarray(mask[box].astype(np.uint8) * 255).resize(size, Image.Resampling.BILINEAR)
    y, x = np.nonzero(np.asarray(solid) > 127)
    to_y, to_x = y + round(centre[0] - size[1] / 2), x + round(centre[1] - size[0] / 2)
    inside = (to_y >= 0) & (to_y < shown.shape[0]) & (to_x >= 0) & (to_x < shown.shape[1])
    frame[to_y[inside], to_x[inside]] = cut[y[inside], x[inside]]
    shown[to_y[inside], to_x[inside]] = 1
    return frame, shown


def measure(network: MemoryNetwork, clip: Clip, size: Any, correction: str, output: Path) -> None:
    """Segment a clip and append its J and islands, frame by frame; the first one is given, the last one not scored."""
    name, frames, truth = clip
    start = time.process_time()
    found = [
        p.ids == 1
        for p in cyclevos.segment(network, frames, {0: truth[0]}, size=size, correction=CORRECTIONS[correction])
    ]
    seconds = time.process_time() - start
    pairs = [(mask, true == 1) for mask, true in zip(found, truth, strict=True)][1:-1]
    row = {
        "clip": name, "correction": correction, "seconds": seconds,
        "J": [region_similarity(*pair) for pair in pairs], "islands": [has_island(*pair) for pair in pairs],
    }  # fmt: skip
    with output.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")
    print(f"{name} {correction}: J {percent(row['J'])}, islands {percent(row['islands'])}", flush=True)


def table(measured: list[dict[str, Any]], corrections: list[str]) -> str:
    """Return a line for each clip and the means: J and islands of each correction."""
    lines = [
        "| clip |" + "".join(f" {name}: J, islands |" for name in corrections),
        "|---|" + "---|" * len(corrections),
    ]
    clips: dict[str, dict[str, Any]] = {}
    for row in measured:
        clips.setdefault(row["clip"], {})[row["correction"]] = row
    whole = {clip: own for clip, own in clips.items() if set(corrections) <= set(own)}
    for clip, own in whole.items():
        lines.append(f"| {clip} |" + "".join(f" {figures([own[name]])} |" for name in corrections))
    means = "".join(f" {figures([own[name] for own in whole.values()])} |" for name in corrections)
    return "\n".join([*lines, f"| mean of {len(whole)} |{means}"])


def figures(rows_of_one: list[dict[str, Any]]) -> str:
    """Return the mean J and the mean share of frames with an island."""
    return ", ".join(percent([np.mean(row[key]) for row in rows_of_one]) for key in ("J", "islands"))


def percent(values: list[Any]) -> str:
    """Return a mean in percent."""
    return f"{100 * float(np.mean(values)):.1f}"


def rows(output: Path) -> list[dict[str, Any]]:
    """Return what has been measured."""
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()] if output.exists() else []


if __name__ == "__main__":
    main()
