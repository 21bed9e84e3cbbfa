"""Trains small networks with labels in all frames or the first ones, with the cycle, and prints J and F of each.

python scripts/first_frame_evidence.py data --output runs/few-labels --seeds 0 1 2 3 4

DATA is the folder that the preset `compact` expects as data/. Each seed starts with a run on still images, which each
arm continues for the same number of steps, with stills as half of its clips:

stills        stills alone
all           clips of sequences with all their labels
first         the same sequences, labelled in their first frames alone: the cycle comes back from unlabelled frames
pseudo        these first frames as pseudo-clips
first+pseudo  both, in equal parts

Sequences of DAVIS-2016 train that no arm has seen are segmented without correction and scored. Repeat the same command
to do only what is missing. Every command is printed; cpu.jsonl has the CPU time that it took.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml
from evidence_runs import command, work_in

from cyclevos.training.presets import presets

ARMS: dict[str, list[dict[str, str]]] = {
    "stills": [],
    "all": [{"kind": "video", "labels": "all"}],
    "first": [{"kind": "video", "labels": "first"}],
    "pseudo": [{"kind": "pseudo", "labels": "first"}],
    "first+pseudo": [{"kind": "video", "labels": "first"}, {"kind": "pseudo", "labels": "first"}],
}
HELD_BACK = ["bear", "bmx-bumps", "car-turn", "dance-jump", "hockey", "mallard-fly", "rhino", "scooter-gray"]
DATASET = "data/DAVIS-2016"
SIZE = 240
CROP = 160

Scores = dict[str, dict[int, dict[str, float]]]  # by arm and seed


def main() -> None:
    """Read the arguments, train, segment, score and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--arms", nargs="+", choices=list(ARMS), default=list(ARMS))
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--start-steps", type=int, default=300, help="steps on stills before the arms part")
    parser.add_argument("--steps", type=int, default=100, help="steps of each arm")
    parser.add_argument("--sequences", nargs="+", default=HELD_BACK, help="held back from training, to score")
    arguments = parser.parse_args()
    work_in(arguments.output, arguments.data)
    names: list[str] = arguments.sequences
    write("start.yaml", configuration([], names, arguments.start_steps, rate=5e-4))
    for arm, sources in ARMS.items():
        write(f"{arm}.yaml", configuration(sources, names, arguments.steps, rate=2e-4))
    scores: Scores = {arm: {} for arm in arguments.arms}
    for seed in arguments.seeds:
        start = trained("start", seed)
        for arm in arguments.arms:
            scores[arm][seed] = scored(arm, seed, names, trained(arm, seed, start))
    print(table(scores))
    print(costs())


def configuration(sources: list[dict[str, str]], held_back: list[str], steps: int, rate: float) -> dict[str, Any]:
    """Return the preset `compact` with its stills and, in half of the clips, other sources."""
    tree: dict[str, Any] = yaml.safe_load(presets()["compact"].read_text(encoding="utf-8"))
    stills = [source for source in tree["data"]["sources"] if source["kind"] == "still"]
    share = sum(source["weight"] for source in stills) / max(1, len(sources))
    videos = [{**source, "root": DATASET, "split": "train", "weight": share} for source in sources]
    tree["data"] |= {"sources": stills + videos, "paste": 0.0, "gaps": {"start": 10, "step": 0}}
    tree["data"]["augmentation"]["size"] = [CROP, CROP]
    tree["objective"] = {"cycle": True, "cycle_frames": "all"}
    tree["optimiser"] |= {"lr": rate, "warmup": 10}
    tree["validation"] = {"sequences": held_back}
    return tree | {"steps": steps, "checkpoint_every": 50}


def write(name: str, tree: dict[str, Any]) -> None:
    """Write a configuration."""
    Path(name).write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


def trained(name: str, seed: int, start: str | None = None) -> str:
    """Train a configuration if that has not been done, and return its weights."""
    run = f"runs/{name}-seed{seed}"
    marker = Path(run) / "finished"
    if not marker.is_file():
        settings = [f"seed={seed}"] if start is None else [f"seed={seed}", f"network.init_from={start}"]
        timed("train", f"{name}.yaml", "--output", run, "--quiet", *(w for s in settings for w in ("--set", s)))
        marker.touch()
    return f"{run}/last.safetensors"


def scored(arm: str, seed: int, names: list[str], weights: str) -> dict[str, float]:
    """Return J, F and J&F in percent over the held-back sequences; segment and score first if needed."""
    file = Path("scores") / f"{arm}-seed{seed}.json"
    if not file.is_file():
        file.parent.mkdir(exist_ok=True)
        masks, sequences = f"masks/{arm}-seed{seed}", ("--split", "train", "--sequences", ",".join(names))
        how = ("--weights", weights, "--size", str(SIZE), "--correction", "off")
        timed("segment-dataset", DATASET, *sequences, *how, "--output", masks, "--quiet")
        timed("evaluate", masks, "--dataset", DATASET, *sequences, "--json", str(file), "--quiet")
    overall = json.loads(file.read_text(encoding="utf-8"))["overall"]
    return {"J": 100 * overall["J"]["mean"], "F": 100 * overall["F"]["mean"], "J&F": 100 * overall["J&F"]}


def timed(*words: str) -> None:
    """Run a command of cyclevos and record its CPU time; stop if it fails."""
    before = os.times()
    command(*words)
    after = os.times()
    seconds = after.children_user + after.children_system - before.children_user - before.children_system
    with Path("cpu.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps({"command": words[0], "of": words[1], "seconds": round(seconds, 1)}) + "\n")


def table(scores: Scores) -> str:
    """Return a row for each arm: mean and standard deviation over the seeds, and J&F of each seed."""
    lines = ["| arm | J | F | J&F | J&F of each seed | above stills |", "|---|---|---|---|---|---|"]
    for arm, found in scores.items():
        cells = [spread([one[measure] for one in found.values()]) for measure in ("J", "F", "J&F")]
        cells.append(", ".join(f"{one['J&F']:.1f}" for one in found.values()))
        stills = scores.get("stills", {})
        gains = [one["J&F"] - stills[seed]["J&F"] for seed, one in found.items() if seed in stills]
        cells.append("" if arm == "stills" or not gains else spread(gains, "{:+.1f}".format))
        lines.append(f"| {arm} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def spread(values: list[float], form: Callable[[float], str] = "{:.1f}".format) -> str:
    """Format a mean, with its standard deviation if there are several values."""
    mean = form(statistics.mean(values))
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1f}"


def costs() -> str:
    """Return the CPU time of all commands by kind."""
    kinds: dict[str, list[float]] = {}
    for line in Path("cpu.jsonl").read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        kind = f"train {row['of']}" if row["command"] == "train" else row["command"]
        kinds.setdefault(kind, []).append(row["seconds"])
    return "\n".join(f"{kind}: {len(found)} times, {statistics.mean(found):.0f} CPU s" for kind, found in kinds.items())


if __name__ == "__main__":
    main()
