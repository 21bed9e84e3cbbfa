"""Robustness: how much poor masks lower J&F, and how much of that correction recovers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from cyclevos.analysis.perturbations import PERTURBATIONS
from cyclevos.datasets import layouts
from cyclevos.datasets.first_masks import first_masks
from cyclevos.errors import ConfigError, MaskError
from cyclevos.evaluation.scoring import evaluate
from cyclevos.jobs.run_folder import Identity, RunFolder
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.image_folder import ImageFiles
from cyclevos.media.writers import MaskWriter
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.pictures.mask_files import read_ground_truth
from cyclevos.propagation.correction import Correction
from cyclevos.propagation.frame_correction import Disturbance
from cyclevos.propagation.propagator import Propagator
from cyclevos.propagation.segment import segment_frames

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Target = Literal["memory", "first"]
TARGETS: tuple[Target, ...] = ("memory", "first")

RUN = "run"
"""The perturbation that uses another run's masks."""


@dataclass(frozen=True)
class Study:
    """The settings of a study: what is perturbed, and the correction to test.

    Attributes:
        kinds: names of :data:`~cyclevos.analysis.perturbations.PERTURBATIONS`, or ``run``.
        target: ``memory``, the masks of sampled memory frames, or ``first``, the annotation of the first frame.
        share: share of the masks in memory that are replaced, in (0, 1].
        correction: the correction to test.
        size: shorter side inside the network; None = the frames' own.
        other_run: folder of the results whose masks the kind ``run`` uses.
        seed: seed of the choice of frames and of random perturbations, from 0.

    Raises:
        ConfigError: a value is unknown or out of range, or no perturbation is named.
    """

    kinds: tuple[str, ...]
    target: Target
    correction: Correction
    size: int | None
    share: float = 0.5
    other_run: Path | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the values."""
        known = (*PERTURBATIONS, RUN)
        if not self.kinds:
            raise ConfigError(f"No perturbation is named; expected any of {', '.join(known)}.", "Name at least one.")
        for kind in self.kinds:
            if kind not in known:
                raise ConfigError(
                    f"Perturbation {kind!r} is unknown; expected any of {', '.join(known)}.", "Choose one of these."
                )
        if self.target not in TARGETS:
            raise ConfigError(
                f"Target {self.target!r} is unknown; expected {' or '.join(TARGETS)}.", "Choose one of these."
            )
        if not 0 < self.share <= 1:
            raise ConfigError(f"The share is {self.share}; expected a number in (0, 1].", "Choose one.")
        if self.seed < 0:
            raise ConfigError(f"The seed is {self.seed}; expected a whole number from 0.", "Choose one.")
        if RUN in self.kinds and self.other_run is None:
            raise ConfigError(
                "Perturbation 'run' needs the folder of another run's results.", "Give it with --other-run FOLDER."
            )


@dataclass(frozen=True)
class Outcome:
    """J&F of one kind of perturbation, as fractions.

    Attributes:
        target: what was perturbed.
        kind: name of the perturbation.
        share: share of the masks in memory that were replaced; 1 for the first mask.
        clean: J&F without perturbation or correction.
        perturbed: J&F with perturbation only.
        corrected: J&F with perturbation and correction.
    """

    target: str
    kind: str
    share: float
    clean: float
    perturbed: float
    corrected: float

    @property
    def recovered(self) -> float:
        """J&F recovered by the correction."""
        return self.corrected - self.perturbed


def run_study(
    network: MemoryNetwork,
    dataset: layouts.Dataset,
    study: Study,
    output: Path,
    identity: Mapping[str, Any],
    advance: Callable[[str], None],
    *,
    overwrite: bool = False,
) -> list[Outcome]:
    """Segment the data set clean, perturbed and corrected, and score each.

    Args:
        network: a frozen memory network.
        dataset: the runs start from the first masks of its sequences.
        study: the settings of the study.
        output: folder of the runs' masks; finished sequences are skipped.
        identity: other values that the results depend on (the weights), as JSON values.
        advance: called with the name of each finished sequence.
        overwrite: replace earlier results instead of continuing them.

    Returns:
        One outcome per kind.

    Raises:
        CycleVOSError: the data set or the folder cannot be used.
    """

    def score(name: str, kind: str | None, correction: Correction | None) -> float:
        folder = output / name
        for sequence in dataset:
            _segment(network, sequence, study, folder, kind, correction, identity, overwrite)
            advance(f"{name} {sequence.name}")
        return evaluate(folder, dataset).overall.j_and_f

    clean = score("clean", None, None)
    outcomes = []
    for kind in study.kinds:
        name = f"{study.target}-{kind}"
        perturbed = score(name, kind, None)
        corrected = score(f"{name}-corrected", kind, study.correction)
        share = study.share if study.target == "memory" else 1.0
        outcomes.append(Outcome(study.target, kind, share, clean, perturbed, corrected))
    return outcomes


def outcomes_to_json(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return the outcomes as JSON values, J&F as fractions."""
    return [{**asdict(outcome), "recovered": outcome.recovered} for outcome in outcomes]


def outcomes_figure(outcomes: Sequence[Outcome]) -> Figure:
    """Draw J&F perturbed and corrected for each kind, with the clean run as a line."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(1.5 + 1.3 * len(outcomes), 3.6), layout="constrained")
    panel = figure.subplots()
    places = np.arange(len(outcomes))
    panel.bar(places - 0.2, [100 * o.perturbed for o in outcomes], 0.38, label="perturbed", color="#c9705a")
    panel.bar(places + 0.2, [100 * o.corrected for o in outcomes], 0.38, label="perturbed, corrected", color="#4a7fb5")
    panel.axhline(100 * outcomes[0].clean, color="0.3", linestyle="--", linewidth=1, label="clean")
    lowest = min(min(o.perturbed, o.corrected, o.clean) for o in outcomes)
    panel.set_ylim(max(0.0, 100 * lowest - 5), None)
    panel.set_xticks(places, [o.kind for o in outcomes])
    panel.set_ylabel("J&F")
    panel.legend(fontsize=8, loc="lower right")
    return figure


def _segment(
    network: MemoryNetwork,
    sequence: layouts.Sequence,
    study: Study,
    folder: Path,
    kind: str | None,
    correction: Correction | None,
    identity: Mapping[str, Any],
    overwrite: bool,
) -> None:
    place = folder / sequence.name
    perturbed = {"kind": kind, "target": study.target, "share": study.share, "seed": study.seed}
    signature = {
        **identity,
        "size": study.size,
        "perturbation": None if kind is None else {**perturbed, "other_run": str(study.other_run)},
        "correction": None if correction is None else asdict(correction),
    }
    run = RunFolder(place, Identity(signature), overwrite=overwrite)
    if not set(sequence.frame_names) <= run.begin().finished:
        _propagate(network, sequence, study, place, kind, correction)
    run.finish(len(sequence.frame_names))


def _propagate(
    network: MemoryNetwork,
    sequence: layouts.Sequence,
    study: Study,
    place: Path,
    kind: str | None,
    correction: Correction | None,
) -> None:
    masks = {index: image.ids for index, image in first_masks(sequence).items()}
    disturb: Disturbance | None = None
    if kind is not None and study.target == "first":
        worse = _perturber(study, sequence, kind, 1.0)
        masks = {index: _or(worse(index, ids), ids) for index, ids in masks.items()}
    elif kind is not None:
        disturb = _perturber(study, sequence, kind, study.share)
    propagator = Propagator(network, study.size, network.traits.policy, correction, disturb)
    with MaskWriter(place) as writer:
        for frame, p in segment_frames(propagator, ImageFiles(sequence.frames), masks):
            writer.write(FrameResult(frame, p.ids))


def _perturber(study: Study, sequence: layouts.Sequence, kind: str, share: float) -> Disturbance:
    """Return the function that perturbs a frame's mask; it gives each frame the same mask every time."""

    def disturb(index: int, ids: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
        rng = np.random.default_rng([study.seed, index])
        if rng.random() >= share:
            return None
        if kind != RUN:
            return PERTURBATIONS[kind](ids, rng)
        file = Path(study.other_run or "") / sequence.name / f"{sequence.frame_names[index]}.png"
        if not file.is_file():
            raise MaskError(
                f"{file}, the other run's mask, does not exist.", "Give results that have a mask for every frame."
            )
        size = (ids.shape[1], ids.shape[0])
        other = np.asarray(
            Image.fromarray(read_ground_truth(file, binary=True).ids).resize(size, Image.Resampling.NEAREST)
        )
        return np.where(np.isin(other, np.unique(ids)), other, 0).astype(np.uint8)

    return disturb


def _or(worse: NDArray[np.uint8] | None, ids: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return ids if worse is None or not worse.any() else worse
