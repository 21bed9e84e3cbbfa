"""Trains small networks with and without the cycle, scores each with and without correction, and writes a table.

python scripts/cycle_evidence.py data --output runs/evidence --steps 200 --seeds 3

DATA is the folder that the preset `compact` expects as data/. An additional network without the cycle is trained for
as long as the one with the cycle takes. Repeat the same command to do only what is missing. Every command is printed.
"""

from __future__ import annotations

import argparse
import json
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from evidence_runs import command, work_in

from cyclevos.training.config import load_config, presets
from cyclevos.training.dry_run import dry_run

CORRECTIONS = ("off", "paper", "default")
SIZE = 240
CROP = 160


@dataclass(frozen=True)
class Arm:
    """One training run: its data, whether it has the cycle, its number of steps and its seed."""

    data: str
    cycle: bool
    steps: int
    seed: int

    @property
    def name(self) -> str:
        """Name of the run in the output folders."""
        return f"{self.data}-{'cycle' if self.cycle else 'plain'}-{self.steps}-seed{self.seed}"


def main() -> None:
    """Read the arguments, train, segment, score and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    work_in(arguments.output, arguments.data)
    for name in ("clips", "clips+stills"):
        write_config(Path(f"{name}.yaml"), name)
    longer = steps_of_equal_time(arguments.steps)
    scores: dict[tuple[Arm, str], dict[str, float]] = {}
    for arm, correction in plan(arguments.steps, longer, arguments.seeds):
        scores[arm, correction] = scored(arm, correction)
        Path("evidence.md").write_text(report(scores), encoding="utf-8")
    print(report(scores))


def plan(steps: int, longer: int, seeds: int) -> list[tuple[Arm, str]]:
    """List what to train and score: every seed without correction, then the first seed with each correction."""
    work: list[tuple[Arm, str]] = []
    for seed in range(seeds):
        for data in ("clips+stills", "clips"):
            work += [(Arm(data, cycle, steps, seed), "off") for cycle in (False, True)]
        work.append((Arm("clips+stills", False, longer, seed), "off"))
    return work + [(arm, how) for arm, _ in work[:4] for how in CORRECTIONS if how != "off"]


def write_config(file: Path, data: str) -> None:
    """Write the preset `compact` without validation, and without its still images if ``data`` is "clips"."""
    tree: dict[str, Any] = yaml.safe_load(presets()["compact"].read_text(encoding="utf-8"))
    del tree["validation"]
    sources = tree["data"]["sources"]
    tree["data"]["sources"] = [one for one in sources if one["kind"] == "video" or data == "clips+stills"]
    tree["data"]["augmentation"]["size"] = [CROP, CROP]
    tree["optimiser"]["warmup"] = 30
    tree["checkpoint_every"] = 50
    file.write_text(yaml.safe_dump(tree, sort_keys=False), encoding="utf-8")


def steps_of_equal_time(steps: int) -> int:
    """Measure how many steps without the cycle take as long as ``steps`` with it (once, kept in steps.json)."""
    file = Path("steps.json")
    if not file.is_file():
        seconds: dict[str, list[float]] = {"true": [], "false": []}
        for _ in range(5):
            for cycle, times in seconds.items():
                settings = load_config("clips+stills.yaml", [f"objective.cycle={cycle}"])
                times.append(dry_run(settings).seconds_per_step)
        ratio = statistics.median(seconds["true"]) / statistics.median(seconds["false"])
        file.write_text(json.dumps({"seconds": seconds, "ratio": ratio}), encoding="utf-8")
    return round(steps * float(json.loads(file.read_text(encoding="utf-8"))["ratio"]))


def scored(arm: Arm, correction: str) -> dict[str, float]:
    """Return J, F and J&F of a run on DAVIS-2016 val; train, segment and score first if needed."""
    file = Path("scores") / f"{arm.name}-{correction}.json"
    if not file.is_file():
        file.parent.mkdir(exist_ok=True)
        run, masks = f"runs/{arm.name}", f"masks/{arm.name}-{correction}"
        command(
            *("train", f"{arm.data}.yaml", "--output", run, "--quiet"),
            *("--set", f"objective.cycle={str(arm.cycle).lower()}"),
            *("--set", f"steps={arm.steps}", "--set", f"seed={arm.seed}"),
        )
        command(
            *("segment-dataset", "data/DAVIS-2016", "--split", "val", "--weights", f"{run}/last.safetensors"),
            *("--size", str(SIZE), "--correction", correction, "--output", masks, "--quiet"),
        )
        at = ("--dataset", "data/DAVIS-2016", "--split", "val")
        command("evaluate", masks, *at, "--json", f"scores/{file.name}", "--quiet")
    overall = json.loads(file.read_text(encoding="utf-8"))["overall"]
    return {"J": 100 * overall["J"]["mean"], "F": 100 * overall["F"]["mean"], "J&F": 100 * overall["J&F"]}


def report(scores: dict[tuple[Arm, str], dict[str, float]]) -> str:
    """Format the table as Markdown: mean and standard deviation over seeds, gain of correction for each seed."""
    rows: dict[tuple[str, bool, int, str], list[dict[str, float]]] = {}
    for (arm, correction), score in scores.items():
        gained = score["J&F"] - scores[arm, "off"]["J&F"]
        rows.setdefault((arm.data, arm.cycle, arm.steps, correction), []).append({**score, "gain": gained})
    lines = [
        "| data | trained | steps | correction | seeds | J | F | J&F | gain |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for (data, cycle, steps, correction), found in sorted(rows.items(), key=lambda row: order(row[0])):
        cells = [spread([one[measure] for one in found]) for measure in ("J", "F", "J&F")]
        cells.append("" if correction == "off" else f"{statistics.mean(one['gain'] for one in found):+.1f}")
        trained = "with the cycle" if cycle else "without"
        lines.append(f"| {data} | {trained} | {steps} | `{correction}` | {len(found)} | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def order(row: tuple[str, bool, int, str]) -> tuple[str, int, bool, int]:
    """Sort by data, steps, cycle, correction."""
    data, cycle, steps, correction = row
    return data, steps, cycle, CORRECTIONS.index(correction)


def spread(values: list[float]) -> str:
    """Format a mean, with its standard deviation if there are several values."""
    mean = statistics.mean(values)
    return f"{mean:.1f}" if len(values) == 1 else f"{mean:.1f} ± {statistics.stdev(values):.1f}"


if __name__ == "__main__":
    main()
