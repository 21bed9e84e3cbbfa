"""Compares this tree with an earlier commit: frames per second with reading and writing, and the masks.

    python benchmarks/commits.py fb0df0c
    python benchmarks/commits.py fb0df0c --davis data/DAVIS-2016 --sequences soapbox,dog --correction off

Both segment the same clip in processes of their own that take turns frame by frame, so that other load on the machine
slows both. The commit needs the interface of ``cyclevos.segment`` and ``cyclevos.Writer``. Without ``--davis``, the
clips that come with the package are used.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cyclevos.pictures.mask_files import read_mask

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "src" / "cyclevos" / "demo"

# Runs in either tree: segments a clip, one frame for each line of input, and answers each with a line.
WORKER = """
import sys
import cyclevos
clip, mask, folder, correction = sys.argv[1:]
network = cyclevos.load_network("default")
correction = None if correction == "off" else cyclevos.Correction.preset(correction)
with cyclevos.Writer(folder) as writer:
    predictions = cyclevos.segment(network, clip, mask, correction=correction)
    print("ready", flush=True)
    for line in sys.stdin:
        prediction = next(predictions, None)
        if prediction is None:
            break
        writer.write(prediction)
        print(prediction.index, flush=True)
print("done", flush=True)
"""


def main() -> None:
    """Read the arguments and compare clip after clip."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit")
    parser.add_argument("--davis", type=Path, help="a data set in the layout of DAVIS")
    parser.add_argument("--sequences", help="of it, separated by commas")
    parser.add_argument("--correction", default="prune", choices=["off", "prune", "default"])
    arguments = parser.parse_args()
    if (arguments.davis is None) != (arguments.sequences is None):
        parser.error("--davis and --sequences belong together")
    clips = [(clip, clip.with_suffix(".png")) for clip in sorted(DEMO.glob("*.mp4"))]
    if arguments.davis is not None:
        names = arguments.sequences.split(",")
        clips = [(arguments.davis / "JPEGImages/480p" / name, first_mask(arguments.davis, name)) for name in names]
    with tempfile.TemporaryDirectory() as folder:
        earlier = Path(folder) / "earlier"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "--quiet", "--detach", str(earlier), arguments.commit], check=True)
        try:
            times = np.array([compare(earlier, clip, mask, arguments.correction) for clip, mask in clips])
            before, now = times.sum(axis=0)
            print(f"all frames: {before / now:.2f}x")
        finally:
            subprocess.run([*git, "remove", "--force", str(earlier)], check=True)


def first_mask(davis: Path, name: str) -> Path:
    """Return the first mask of a sequence."""
    return min((davis / "Annotations/480p" / name).glob("*.png"))


def compare(earlier: Path, clip: Path, mask: Path, correction: str) -> tuple[float, float]:
    """Segment a clip with both trees and print the ratio of their times, and how alike their masks are.

    Returns:
        Seconds that either takes for all frames, if the first quarter took as long as the rest.
    """
    with tempfile.TemporaryDirectory() as folder:
        outputs = [Path(folder) / "earlier", Path(folder) / "now"]
        trees = zip((earlier, ROOT), outputs, strict=True)
        workers = [started(tree, clip, mask, output, correction) for tree, output in trees]
        times: list[list[float]] = [[], []]
        while True:
            answers = []
            for worker, taken in zip(workers, times, strict=True):
                start = time.perf_counter()
                answers.append(ask(worker))
                taken.append(time.perf_counter() - start)
            if "done" in answers:
                break
        if any(worker.wait() for worker in workers):
            raise SystemExit(f"one of the two failed on {clip}")
        # The first frames of each are slower, and there is less in memory.
        before, now = (float(np.mean(taken[len(taken) // 4 : -1])) for taken in times)
        masks = zip(*(sorted(output.rglob("*.png")) for output in outputs), strict=True)
        alike = [agreement(read_mask(a).ids, read_mask(b).ids) for a, b in masks]
        print(
            f"{clip.stem}: {1 / before:.2f} frames/s then, {1 / now:.2f} now: {before / now:.2f}x; "
            f"J between their masks {np.mean(alike):.4f} (worst frame {np.min(alike):.4f})",
            flush=True,
        )
        return before * len(alike), now * len(alike)


def started(tree: Path, clip: Path, mask: Path, output: Path, correction: str) -> subprocess.Popen[str]:
    """Start a tree's process and wait until its network is loaded."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(clip.resolve()), str(mask.resolve()), str(output), correction],
        env={**os.environ, "PYTHONPATH": str(tree / "src")},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert worker.stdout is not None
    if worker.stdout.readline() != "ready\n":
        raise SystemExit(f"cannot segment with {tree}")
    return worker


def ask(worker: subprocess.Popen[str]) -> str:
    """Have one more frame segmented, and return the answer: its index, or "done"."""
    assert worker.stdin is not None
    assert worker.stdout is not None
    worker.stdin.write("\n")
    worker.stdin.flush()
    answer = worker.stdout.readline().strip()
    if not answer:
        raise SystemExit("a process ended before its clip")
    return answer


def agreement(a: np.ndarray, b: np.ndarray) -> float:
    """Return the share of the pixels of either that are the same object in both."""
    either = (a > 0) | (b > 0)
    return float((a == b)[either].mean()) if either.any() else 1.0


if __name__ == "__main__":
    main()
