"""Measures what adapting a network to each video gives: J before and after, for several seeds.

python scripts/adaptation_evidence.py data/DAVIS-2016 --weights runs/half-a/last.safetensors \
    --sequences bear boat bus --frames 60 --output runs/adaptation-a.jsonl

The sequences should be such that the network was not trained on them. Repeat the same command to do only what is
missing.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import cyclevos
from cyclevos.adaptation.settings import Adaptation
from cyclevos.cli.changed_values import parse_settings
from cyclevos.datasets.layouts import Sequence, open_dataset
from cyclevos.evaluation.measures import region_similarity
from cyclevos.network.protocol import MemoryNetwork

Scores = list[float]


def main() -> None:
    """Read the arguments, measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--split", default="train")
    parser.add_argument("--weights", default="default")
    parser.add_argument("--sequences", nargs="+", required=True)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--frames", type=int, default=60, help="first frames of each sequence")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the adaptation")
    parser.add_argument("--output", type=Path, required=True, help="JSON lines, one for each sequence and seed")
    arguments = parser.parse_args()
    adaptation = Adaptation.preset("default", **parse_settings(arguments.set, "--set"))
    network = cyclevos.load_network(arguments.weights)
    dataset = open_dataset(arguments.dataset, split=arguments.split).select(arguments.sequences)
    for sequence in dataset:
        measured = {row["seed"] for row in rows(arguments.output) if row["sequence"] == sequence.name}
        missing = [replace(adaptation, seed=seed) for seed in arguments.seeds if seed not in measured]
        measure(network, sequence, arguments.frames, missing, arguments.output)
    print(table(rows(arguments.output)))


def measure(
    network: MemoryNetwork, sequence: Sequence, frames: int, adaptations: list[Adaptation], output: Path
) -> None:
    """Segment a sequence with the network as it is and after each adaptation, and append a line for each."""
    if not adaptations:
        return
    paths = sequence.frames[:frames]
    truth = [sequence.masks.read(sequence.annotations[path.stem]).ids for path in paths]
    before, seconds = scores(network, paths, truth)
    for adaptation in adaptations:
        start = time.perf_counter()
        losses: Scores = []
        adapted = cyclevos.adapt(
            network, paths, {0: truth[0]}, adaptation, progress=lambda _, loss, told=losses: told.append(loss)
        )
        row = {
            "sequence": sequence.name, "seed": adaptation.seed, "before": before, "losses": losses,
            "adapting": time.perf_counter() - start, "segmenting": seconds, "after": scores(adapted, paths, truth)[0],
        }  # fmt: skip
        with output.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(f"{sequence.name} {adaptation.seed}: {mean(row['before']):.1f} -> {mean(row['after']):.1f}", flush=True)


def scores(network: MemoryNetwork, paths: list[Path], truth: list[Any]) -> tuple[Scores, float]:
    """Return J of the first object in every frame but the first and the last, and the seconds that it took."""
    start = time.perf_counter()
    found = [p.ids for p in cyclevos.segment(network, paths, {0: truth[0]}, size=544, correction=None)]
    seconds = time.perf_counter() - start
    pairs = list(zip(found, truth, strict=True))[1:-1]
    return [region_similarity(ids == 1, true == 1) for ids, true in pairs], seconds


def mean(scores: Scores) -> float:
    """Return a mean in percent."""
    return 100 * float(np.mean(scores))


def table(measured: list[dict[str, Any]]) -> str:
    """Return a line for each sequence, and the mean, the median and the worst of all."""
    lines = ["| sequence | before | adapted |", "|---|---|---|"]
    gains: dict[str, Scores] = {}
    for row in measured:
        gains.setdefault(row["sequence"], []).append(mean(row["after"]) - mean(row["before"]))
    for name, own in gains.items():
        start = next(mean(row["before"]) for row in measured if row["sequence"] == name)
        lines.append(f"| {name} | {start:.1f} | {', '.join(f'{gain:+.1f}' for gain in own)} |")
    means = [statistics.fmean(own) for own in gains.values()] or [math.nan]
    worst = min((gain for own in gains.values() for gain in own), default=math.nan)
    return "\n".join(
        [*lines, "", f"mean {statistics.fmean(means):+.2f}, median {statistics.median(means):+.2f}, worst {worst:+.1f}"]
    )


def rows(output: Path) -> list[dict[str, Any]]:
    """Return what has been measured."""
    return [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()] if output.exists() else []


if __name__ == "__main__":
    main()
