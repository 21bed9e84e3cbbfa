r"""Makes the packaged reliability predictor: runs networks over train sequences and fits signals to true J.

python scripts/fit_reliability.py DAVIS-2016 --runs runs/reliability --weights runs/compact/last.safetensors \
    --unseen runs/half-a runs/half-b

`cyclevos calibrate` fits a predictor to any network, starting from this one. This one starts from nothing, so it needs
many failures: the probability that the object is lost is learned from a network that is degraded in several ways, since
a good network fails too rarely. The accuracy of a mask whose object is not lost is learned from undegraded networks, on
sequences that they were not trained on. Cross-validation leaves whole sequences out. No val sequence is used.
"""

from __future__ import annotations

import argparse
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.stats import spearmanr

from cyclevos.analysis.calibration import Fit, distance, held_out
from cyclevos.analysis.perturbations import box
from cyclevos.analysis.signals import TRUTH, SignalTable, collect_rows
from cyclevos.datasets.layouts import Sequence, open_dataset
from cyclevos.evaluation.calibration import calibrate
from cyclevos.network.calibration import PACKAGED_CALIBRATION
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.traits import MemoryPolicy
from cyclevos.network.weights import load_network
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.predictor import SIGNALS, Predictor
from cyclevos.propagation.propagator import Propagator

HELD_BACK = ("car-turn", "dance-jump", "mallard-fly", "scooter-gray")
HIDDEN = 8
UNSEEN_FRAMES = 50


class Kind(NamedTuple):
    """How a run is made: noise on the weights, shorter side, boxes in memory, every n-th frame only, correction.

    Noise on the keys makes matches fail. Noise on ``values`` alone makes right matches give wrong masks.
    """

    noise: float = 0.0
    values: bool = False
    size: int | None = None
    boxes: bool = False
    stride: int = 1
    correction: str | None = None


KINDS = {
    "as-is": Kind(),
    "noise-8": Kind(noise=0.08),
    "noise-10": Kind(noise=0.10),
    "small": Kind(noise=0.07, size=160),
    "boxes": Kind(noise=0.08, boxes=True),
    "sparse": Kind(noise=0.08, stride=4),
    "values-30": Kind(noise=0.30, values=True),
    "values-35": Kind(noise=0.35, values=True),
    "values-small": Kind(noise=0.25, values=True, size=160),
    "values-boxes": Kind(noise=0.30, values=True, boxes=True),
    "values-sparse": Kind(noise=0.30, values=True, stride=4),
}


def main() -> None:
    """Read the arguments, collect missing signals, fit the predictor and write it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", type=Path)
    parser.add_argument(
        "--runs", type=Path, required=True, help="folder of collected signals; existing files are reused"
    )
    parser.add_argument("--weights", default="default", help="network to degrade; other weights need another --runs")
    parser.add_argument(
        "--unseen", type=Path, nargs="+", required=True, help="training runs; each is run on what it held back"
    )
    parser.add_argument("--frames", type=int, default=40, help="most frames per run")
    parser.add_argument("--output", type=Path, default=PACKAGED_CALIBRATION)
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, sequence in enumerate(open_dataset(arguments.root, "train")):
        bad = list(KINDS)[1:]
        kinds = list(KINDS) if sequence.name in HELD_BACK else [bad[(number + n) % len(bad)] for n in (0, 2, 5, 7)]
        for kind in kinds:
            file = arguments.runs / f"{sequence.name} {kind}.npy"
            rows.append(told(file, sequence, KINDS[kind], arguments.frames, arguments.weights))
    table = joined(rows)
    cross_validate(table, fit)
    fitted = fit(table)
    table = joined(unseen(arguments.root, arguments.runs, arguments.unseen))
    print(f"{'before':16} {report(fitted(table.signals).numpy(), table.truth.numpy(), table.sequences)}")
    cross_validate(table, lambda some: fit_exact(fitted, some))
    fitted = fit_exact(fitted, table)
    save_file({name: value.contiguous() for name, value in fitted._asdict().items()}, arguments.output)
    print(f"{arguments.output}: {fitted.exact.tolist()}")


def unseen(root: Path, folder: Path, runs: list[Path]) -> list[tuple[str, np.ndarray]]:
    """Run networks over the sequences that their training held back, at the size of the packaged network."""
    size, rows = load_network().traits.size, []
    for run in runs:
        names = json.loads((run / "config.json").read_text())["validation"]["sequences"]
        for sequence in open_dataset(root, "train"):
            if sequence.name in names:
                file = folder / f"{sequence.name} unseen.npy"
                rows.append(told(file, sequence, Kind(size=size), UNSEEN_FRAMES, str(run / "last.safetensors")))
    return rows


def told(file: Path, sequence: Sequence, how: Kind, frames: int, weights: str) -> tuple[str, np.ndarray]:
    """Print the mean J of a run; return the name of its sequence and its rows from :func:`collected`."""
    table = collected(file, sequence, how, frames, weights)
    print(f"{file.stem:32} {len(table)} frames, mean J {table[:, TRUTH].mean():.3f}", flush=True)
    return sequence.name, table


def joined(rows: list[tuple[str, np.ndarray]]) -> SignalTable:
    """Join the rows of all runs; runs of one sequence count as one sequence."""
    table = SignalTable.joined(each for _, each in rows)
    names = np.array([zlib.crc32(name.encode()) for name, _ in rows])
    return replace(table, sequences=names[table.sequences])


def collected(file: Path, sequence: Sequence, how: Kind, frames: int | None, weights: str = "default") -> np.ndarray:
    """Return a row of signals, true J and share of the frame per mask; run the sequence unless the file exists."""
    if not file.is_file():
        np.save(file, collect(sequence, how, frames, weights, zlib.crc32(file.stem.encode())))
    return np.load(file)


def collect(sequence: Sequence, how: Kind, frames: int | None, weights: str, seed: int) -> np.ndarray:
    """Run a sequence and return its rows of signals, true J and share of the frame."""
    network = load_network(weights)
    degrade(network, how, torch.Generator().manual_seed(seed))
    rng = np.random.default_rng(seed)
    disturb = (lambda index, ids: box(ids, rng) if rng.random() < 0.5 else None) if how.boxes else None
    correction = None if how.correction is None else Correction.preset(how.correction)
    propagator = Propagator(network, how.size or network.traits.size, MemoryPolicy(), correction, disturb)
    return collect_rows(propagator, sequence, frames, how.stride)


def degrade(network: SpaceTimeMemoryNetwork, how: Kind, generator: torch.Generator) -> None:
    """Multiply every convolution weight of the encoders, keys and values by a random factor around 1."""
    spared = ("decoder", "query_encoder", "query_key") if how.values else ("decoder",)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 4 and not name.startswith(spared):
            factor = 1 + how.noise * torch.randn(parameter.shape, generator=generator)
            with torch.no_grad():
                parameter.mul_(factor.to(parameter.dtype))


def fit(table: SignalTable, steps: int = 1200) -> Predictor:
    """Fit both factors of the predictor, from random weights."""
    signals = table.signals
    torch.manual_seed(0)
    mean, scale = signals.mean(dim=0), signals.std(dim=0).clamp(min=1e-3)
    parameters = (
        torch.tensor([1.0, 0.0, 2.0]),
        0.3 * torch.randn(HIDDEN, len(SIGNALS) - 1),
        0.3 * torch.randn(HIDDEN + 1),
    )
    parameters[2][-1] = 2.0  # start from high reliability
    for parameter in parameters:
        parameter.requires_grad_()
    optimiser = torch.optim.AdamW(parameters, lr=0.02, weight_decay=0.6)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        predicted = Predictor(mean, scale, *parameters)(signals)
        optimiser.zero_grad()
        distance(predicted, table.truth).backward()
        optimiser.step()
        schedule.step()
    return Predictor(mean, scale, *(parameter.detach() for parameter in parameters))


def fit_exact(predictor: Predictor, table: SignalTable, steps: int = 400) -> Predictor:
    """Fit the J of masks of the right object again, and leave the probability of the right object unchanged."""
    exact = predictor.exact.clone().requires_grad_()
    optimiser = torch.optim.Adam([exact], lr=0.05)
    for _ in range(steps):
        predicted = predictor._replace(exact=exact)(table.signals)
        optimiser.zero_grad()
        distance(predicted, table.truth).backward()
        optimiser.step()
    return predictor._replace(exact=exact.detach())


def cross_validate(table: SignalTable, fitted: Fit) -> None:
    """Print how well held-out sequences are predicted, and how well each signal does alone."""
    truth = table.truth.numpy()
    print(f"{'cross-validated':16} {report(held_out(table, fitted), truth, table.sequences)}")
    print_signals(table.signals.numpy(), truth, table.sequences)


def print_signals(signals: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> None:
    """Print how well each signal does alone, with its sign flipped if lower values are better."""
    for column, name in enumerate(SIGNALS):
        values = signals[:, column]
        sign = 1 if spearmanr(values, truth)[0] >= 0 else -1
        print(f"{name:16} {report(sign * values, truth, groups, probability=False)}")


def report(predicted: np.ndarray, truth: np.ndarray, groups: np.ndarray, *, probability: bool = True) -> str:
    """Describe how well predictions separate good masks from bad ones; ``groups`` numbers the sequences."""
    found = calibrate(predicted, truth, groups)
    spearman, within, area = (
        np.nan if value is None else value for value in (found.spearman, found.spearman_within, found.auroc)
    )
    return f"Spearman {spearman:+.3f}, within a sequence {within:+.3f}, AUROC of J < 0.5 {area:.3f}" + (
        f", mean error {found.mean_error:.3f}" if probability else ""
    )


if __name__ == "__main__":
    main()
