"""Measures the packaged predictor, the uncalibrated formula and each signal alone against true J.

python scripts/measure_reliability.py DAVIS-2016 --split val --runs runs/reliability-val
python scripts/measure_reliability.py DAVIS-2016 --split val --runs runs/reliability-val --correction default
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from fit_reliability import Kind, collected, print_signals, report

from cyclevos.analysis.signals import TRUTH
from cyclevos.datasets.layouts import open_dataset
from cyclevos.propagation.predictor import load_predictor, uncalibrated


def main() -> None:
    """Read the arguments, run missing sequences and print the measures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument(
        "--runs", type=Path, required=True, help="folder of collected signals; existing files are reused"
    )
    parser.add_argument("--correction", choices=["paper", "default"])
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    how = Kind(correction=arguments.correction)
    tables = []
    for sequence in open_dataset(arguments.root, arguments.split):
        file = arguments.runs / f"{sequence.name} {arguments.correction or 'off'}.npy"
        tables.append(collected(file, sequence, how, None))
    table = np.concatenate(tables)
    groups = np.repeat(np.arange(len(tables)), [len(one) for one in tables])
    signals, truth, share = table[:, :TRUTH], table[:, TRUTH], table[:, TRUTH + 1]
    predicted = load_predictor()(torch.from_numpy(signals)).numpy()
    print(f"{len(truth)} frames, J below 0.5 in {(truth < 0.5).mean():.1%}")
    print(f"{'predicted':16} {report(predicted, truth, groups)}")
    print(f"{'uncalibrated':16} {report(uncalibrated(torch.from_numpy(signals)).numpy(), truth, groups)}")
    small, large = np.quantile(share[share > 0], [1 / 3, 2 / 3])
    for name, chosen in (
        (f"below {small:.1%}", share < small),
        (f"{small:.1%}..{large:.1%}", (share >= small) & (share < large)),
        (f"above {large:.1%}", share >= large),
    ):
        print(f"{name:16} {report(predicted[chosen], truth[chosen], groups[chosen])}")
    print_signals(signals, truth, groups)


if __name__ == "__main__":
    main()
