r"""Makes the packaged reliability predictor: runs networks over train sequences and fits signals to true J.

python scripts/fit_reliability.py DAVIS-2016 --runs runs/reliability --weights runs/compact/last.safetensors \
    --unseen runs/half-a runs/half-b

The probability that the object is lost is learned from a network that is degraded in several ways, since a good network
fails too rarely. The accuracy of a mask whose object is not lost is learned from undegraded networks, on sequences that
they were not trained on. Cross-validation leaves whole sequences out. No val sequence is used.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.stats import spearmanr
from torch.nn import functional as F

from cyclevos.analysis.perturbations import box
from cyclevos.datasets.first_masks import first_masks
from cyclevos.datasets.layouts import Sequence, open_dataset
from cyclevos.evaluation.calibration import calibrate
from cyclevos.masks import binary_iou
from cyclevos.media.image_folder import ImageFiles
from cyclevos.network.stm import SpaceTimeMemoryNetwork
from cyclevos.network.weights import load_network
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.memory_bank import MemoryPolicy
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.reliability import PREDICTOR, SIGNALS, Predictor

HELD_BACK = ("car-turn", "dance-jump", "mallard-fly", "scooter-gray")
HIDDEN = 8
UNSEEN_FRAMES = 50
J = len(SIGNALS)  # the column of true J; the next column is the object's share of the frame


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
    parser.add_argument("--output", type=Path, default=PREDICTOR)
    arguments = parser.parse_args()
    arguments.runs.mkdir(parents=True, exist_ok=True)
    rows = []
    for number, sequence in enumerate(open_dataset(arguments.root, "train")):
        bad = list(KINDS)[1:]
        kinds = list(KINDS) if sequence.name in HELD_BACK else [bad[(number + n) % len(bad)] for n in (0, 2, 5, 7)]
        for kind in kinds:
            file = arguments.runs / f"{sequence.name} {kind}.npy"
            rows.append(told(file, sequence, KINDS[kind], arguments.frames, arguments.weights))
    signals, truth, groups = joined(rows)
    cross_validate(signals, truth, groups, fit)
    fitted = fit(signals, truth)
    signals, truth, groups = joined(unseen(arguments.root, arguments.runs, arguments.unseen))
    print(f"{'before':16} {report(fitted(signals).numpy(), truth.numpy(), groups)}")
    cross_validate(signals, truth, groups, lambda x, y: fit_exact(fitted, x, y))
    fitted = fit_exact(fitted, signals, truth)
    save_file({name: value.contiguous() for name, value in fitted._asdict().items()}, arguments.output)
    print(f"{arguments.output}: {fitted.exact.tolist()}")


def unseen(root: Path, folder: Path, runs: list[Path]) -> list[tuple[str, np.ndarray]]:
    """Run networks over the sequences that their training held back, at the size of the packaged network."""
    size, rows = load_network().spec.size, []
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
    print(f"{file.stem:32} {len(table)} frames, mean J {table[:, J].mean():.3f}", flush=True)
    return sequence.name, table


def joined(rows: list[tuple[str, np.ndarray]]) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Concatenate the frames of all runs: signals, true J, and a number for each sequence."""
    groups = np.concatenate([np.full(len(table), zlib.crc32(name.encode())) for name, table in rows])
    table = np.concatenate([table for _, table in rows])
    return torch.from_numpy(table[:, :J]).float(), torch.from_numpy(table[:, J]).float(), groups


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
    propagator = Propagator(network, how.size or network.spec.size, MemoryPolicy(), correction, disturb)
    # Any predictor will do: only the signals are read.
    shapes = (len(SIGNALS),), (len(SIGNALS),), (3,), (1, len(SIGNALS) - 1), (2,)
    propagator.reliability.use(Predictor(*(torch.zeros(shape) for shape in shapes)))
    masks = {index: image.ids for index, image in first_masks(sequence).items()}
    rows = []
    for frame in ImageFiles(sequence.frames):
        if frame.index % how.stride and frame.index not in masks:
            continue
        if frames is not None and frame.index >= frames * how.stride:
            break
        p = propagator.step(frame.index, frame.image, masks.get(frame.index))
        if not p.annotated and frame.name in sequence.annotations:
            truth = sequence.masks.read(sequence.annotations[frame.name]).ids
            for i, row in propagator.reliability.signals.items():
                rows.append([*row.tolist(), binary_iou(p.ids == i, truth == i), (truth == i).mean()])
    return np.array(rows, np.float32)


def degrade(network: SpaceTimeMemoryNetwork, how: Kind, generator: torch.Generator) -> None:
    """Multiply every convolution weight of the encoders, keys and values by a random factor around 1."""
    spared = ("decoder", "query_encoder", "query_key") if how.values else ("decoder",)
    for name, parameter in network.named_parameters():
        if parameter.ndim == 4 and not name.startswith(spared):
            factor = 1 + how.noise * torch.randn(parameter.shape, generator=generator)
            with torch.no_grad():
                parameter.mul_(factor.to(parameter.dtype))


def distance(predicted: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy between predicted and true J, plus the mean error."""
    return F.binary_cross_entropy(predicted, truth) + (predicted - truth).abs().mean()


def fit(signals: torch.Tensor, truth: torch.Tensor, steps: int = 1200) -> Predictor:
    """Fit both factors of the predictor."""
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
        distance(predicted, truth).backward()
        optimiser.step()
        schedule.step()
    return Predictor(mean, scale, *(parameter.detach() for parameter in parameters))


def fit_exact(predictor: Predictor, signals: torch.Tensor, truth: torch.Tensor, steps: int = 400) -> Predictor:
    """Fit the J of masks of the right object again, and leave the probability of the right object unchanged."""
    exact = predictor.exact.clone().requires_grad_()
    optimiser = torch.optim.Adam([exact], lr=0.05)
    for _ in range(steps):
        predicted = predictor._replace(exact=exact)(signals)
        optimiser.zero_grad()
        distance(predicted, truth).backward()
        optimiser.step()
    return predictor._replace(exact=exact.detach())


def cross_validate(
    signals: torch.Tensor,
    truth: torch.Tensor,
    groups: np.ndarray,
    fitted: Callable[[torch.Tensor, torch.Tensor], Predictor],
    folds: int = 6,
) -> None:
    """Print how well held-out sequences are predicted, and how well each signal does alone."""
    names = np.unique(groups)
    predicted = np.zeros(len(truth))
    for fold in range(folds):
        out = np.isin(groups, names[fold::folds])
        inside = torch.from_numpy(~out)
        predicted[out] = fitted(signals[inside], truth[inside])(signals[~inside]).numpy()
    print(f"{'cross-validated':16} {report(predicted, truth.numpy(), groups)}")
    print_signals(signals.numpy(), truth.numpy(), groups)


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
