"""Times the evaluation of a split of DAVIS, and that of vos-benchmark on the same files if it is installed.

Usage:
    python benchmarks/evaluation.py --root DAVIS-2016 [--split val] [--workers N] [--protocol per-appearance]

The predictions are degraded ground truth: shifted, dilated, eroded or taken from a later frame.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from cyclevos.datasets.layouts import Dataset, open_dataset
from cyclevos.evaluation.mask_pairs import read_ids
from cyclevos.evaluation.protocols import Protocol
from cyclevos.evaluation.scores import Evaluation
from cyclevos.evaluation.scoring import evaluate
from cyclevos.files.host import available_cpus


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="the data set's folder")
    parser.add_argument("--split", default="val")
    parser.add_argument("--workers", type=int, default=available_cpus())
    parser.add_argument("--protocol", choices=[each.value for each in Protocol], default=Protocol.DAVIS.value)
    arguments = parser.parse_args()
    dataset = open_dataset(arguments.root, arguments.split, need_frames=False)
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        write_perturbed(dataset, results)
        frames = sum(len(sequence.annotations) for sequence in dataset)
        started = time.perf_counter()
        evaluation = evaluate(results, dataset, protocol=arguments.protocol, workers=arguments.workers)
        seconds = time.perf_counter() - started
        print(f"{dataset.name}: {frames} frames, {arguments.workers} workers, protocol {arguments.protocol}")
        print(f"cyclevos       {seconds:7.2f} s  {frames / seconds:7.1f} frames/s  {peak_memory()}")
        print(f"               J {evaluation.overall.J.mean:.6f}  F {evaluation.overall.F.mean:.6f}")
        compare(dataset, results, evaluation, arguments.workers, seconds)


def write_perturbed(dataset: Dataset, results: Path) -> None:
    """Write predictions degraded in four ways, in turn."""
    for sequence in dataset:
        (results / sequence.name).mkdir(parents=True)
        names = list(sequence.annotations)
        for index, name in enumerate(names):
            ids = read_ids(sequence.annotations[name])
            if index % 4 == 0:
                ids = np.roll(ids, (index % 7, index % 11), axis=(0, 1))
            elif index % 4 == 1:
                ids = ndimage.grey_dilation(ids, size=(5, 5))
            elif index % 4 == 2:
                ids = ndimage.grey_erosion(ids, size=(7, 7))
            else:
                ids = read_ids(sequence.annotations[names[min(index + 5, len(names) - 1)]])
            image = Image.fromarray(ids)
            image.putpalette(bytes(range(256)) * 3)
            image.save(results / sequence.name / f"{name}.png")


def compare(dataset: Dataset, results: Path, ours: Evaluation, workers: int, seconds: float) -> None:
    """Run vos-benchmark on the same files; print its time and the largest difference between its scores and ours."""
    try:
        from vos_benchmark.benchmark import benchmark
    except ImportError as error:
        print(f"vos-benchmark  not run: {error}")
        return
    truth = next(iter(dataset.sequences[0].annotations.values())).parent.parent
    started = time.perf_counter()
    *_, theirs = benchmark([str(truth)], [str(results)], strict=False, num_processes=workers, verbose=False)
    their_seconds = time.perf_counter() - started
    frames = sum(len(sequence.annotations) for sequence in dataset)
    print(f"vos-benchmark  {their_seconds:7.2f} s  {frames / their_seconds:7.1f} frames/s")
    differences = [
        abs(percent / 100 - getattr(ours.sequences[name].objects[object_id], measure).mean)
        for name, both in theirs[0].items()
        for measure, values in zip(("J", "F"), both, strict=True)
        for object_id, percent in values.items()
    ]
    print(f"ratio {their_seconds / seconds:.1f}")
    print(f"largest difference of an object's J or F {max(differences):.1e}")


def peak_memory() -> str:
    """Describe the peak resident memory in MB of this process and of its largest worker (Linux counts in kB)."""
    own, child = (resource.getrusage(who).ru_maxrss // 1024 for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return f"peak {own} MB, largest worker {child} MB"


if __name__ == "__main__":
    main()
