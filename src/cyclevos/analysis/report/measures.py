"""Measures runs: scores against ground truth, if available, and agreement between the runs."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from cyclevos.analysis.report.runs import Run
from cyclevos.datasets import layouts
from cyclevos.datasets.layouts import Dataset
from cyclevos.errors import ConfigError, CycleVOSError, DatasetError
from cyclevos.evaluation import scoring
from cyclevos.evaluation.agreement import object_agreement
from cyclevos.evaluation.scores import Scores, SequenceScores, mean_scores
from cyclevos.files.host import available_cpus
from cyclevos.naming import natural_key
from cyclevos.words import listed

Agreement = dict[int, npt.NDArray[np.float64]]
Task = TypeVar("Task")
Outcome = TypeVar("Outcome")

# Shapes: N masks, R runs.


class Predictions(NamedTuple):
    """The masks that have both reliability and J, (N,) each.

    Attributes:
        predicted: the reliability.
        truth: J.
        sequence: number of the mask's sequence.
    """

    predicted: npt.NDArray[np.float64]
    truth: npt.NDArray[np.float64]
    sequence: npt.NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """Several runs and their measurements.

    Attributes:
        runs: R runs; the others are compared with the first.
        dataset: the data set with the ground truth; None = no ground truth.
        sequences: names, in the order of the data set, or sorted without one.
        scores: of each run, by sequence.
        unscored: for each run, why a sequence has no scores.
        agreement: J between every two runs by sequence and object, (R,R); empty for a single run.
        not_compared: why a sequence has no agreement.
    """

    runs: tuple[Run, ...]
    dataset: Dataset | None
    sequences: tuple[str, ...]
    scores: tuple[dict[str, SequenceScores], ...]
    unscored: tuple[dict[str, str], ...]
    agreement: dict[str, Agreement] = field(default_factory=dict)
    not_compared: dict[str, str] = field(default_factory=dict)

    @property
    def has_scores(self) -> bool:
        """Whether any run has scores."""
        return any(self.scores)

    @property
    def common(self) -> tuple[str, ...]:
        """Sequences with scores in every run (runs without any scores are ignored); the overall figures cover these."""
        scored = [scores for scores in self.scores if scores]
        return tuple(name for name in self.sequences if scored and all(name in scores for scores in scored))

    def overall(self, run: int) -> Scores | None:
        """Return the mean over all objects of the common sequences, as in `cyclevos evaluate`; None without scores."""
        if not self.common or not self.scores[run]:
            return None
        return mean_scores(each for name in self.common for each in self.scores[run][name].objects.values())

    def agreement_with(self, run: int, other: int, sequences: Sequence[str] | None = None) -> float | None:
        """Return J between two runs, the mean over all objects of all or some sequences; None if they share none."""
        names = self.agreement if sequences is None else sequences
        values = [each[run, other] for name in names for each in self.agreement[name].values()]
        known = [value for value in values if not np.isnan(value)]
        return float(np.mean(known)) if known else None

    def predictions(self, run: int) -> Predictions | None:
        """Return reliability and J of a run's masks; None if no mask has both."""
        found = [
            (own, value, number)
            for number, (name, scores) in enumerate(self.scores[run].items())
            for each in scores.objects.values()
            for frame, value in zip(each.frame_names, each.J_values, strict=True)
            if (own := self.runs[run].reliability.get(name, {}).get(frame, {}).get(each.object_id)) is not None
        ]
        return Predictions(*np.array(found).T) if found else None


def frame_scores(scores: SequenceScores) -> dict[str, float]:
    """Return the mean J over the scored objects of each frame, by frame name."""
    values: dict[str, list[float]] = {}
    for each in scores.objects.values():
        for frame, value in zip(each.frame_names, each.J_values, strict=True):
            values.setdefault(frame, []).append(value)
    return {frame: float(np.mean(own)) for frame, own in values.items()}


def measure(
    runs: Sequence[Run],
    dataset: Dataset | None,
    sequences: Sequence[str] | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[str], None] = lambda note: None,
) -> Measured:
    """Score the runs and compare them.

    Args:
        runs: one or more.
        dataset: holds the ground truth and determines the sequences; None takes the sequences of the runs.
        sequences: keep only these; for a data set, choose them when you open it.
        workers: processes to use; None takes one per CPU. The result is the same for any number.
        progress: called with the name of each finished step.

    Raises:
        DatasetError: no run has a requested sequence, or none has any sequence of the data set.
        ConfigError: `workers` is below 1.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"Expected 1 or more workers, got {workers}.", "Give a positive number.")
    names = _sequence_names(runs, dataset, sequences)
    tasks = [
        (r, run.folder, sequence)
        for r, run in enumerate(runs)
        for sequence in dataset or ()
        if sequence.name in run.masks
    ]
    results = _spread(_score, tasks, workers, lambda task: progress(f"{runs[task[0]].name}: {task[2].name}"))
    scores: tuple[dict[str, SequenceScores], ...] = tuple({} for _ in runs)
    unscored: tuple[dict[str, str], ...] = tuple({} for _ in runs)
    for (r, _, sequence), result in zip(tasks, results, strict=True):
        if isinstance(result, str):
            unscored[r][sequence.name] = result
        else:
            scores[r][sequence.name] = result
    agreement, not_compared = _compare(runs, names, workers, progress)
    return Measured(tuple(runs), dataset, names, scores, unscored, agreement, not_compared)


def _sequence_names(runs: Sequence[Run], dataset: Dataset | None, sequences: Sequence[str] | None) -> tuple[str, ...]:
    known = sorted({name for run in runs for name in run.masks}, key=natural_key)
    wanted = [each.name for each in dataset] if dataset is not None else known if sequences is None else sequences
    absent = [name for name in wanted if name not in known]
    if len(absent) == len(wanted) or (dataset is None and absent):
        raise DatasetError(
            f"No run has the sequence '{(absent or ['(none)'])[0]}'"
            + (f" or any other of {dataset.name}" if dataset is not None else "")
            + f"; the runs have {listed(known)}.",
            "Check the names.",
        )
    return tuple(wanted)


def _compare(
    runs: Sequence[Run], names: Sequence[str], workers: int | None, progress: Callable[[str], None]
) -> tuple[dict[str, Agreement], dict[str, str]]:
    """Measure agreement in every sequence that two runs share; the error's text if that is not possible."""
    shared = [name for name in names if sum(name in run.masks for run in runs) > 1]
    tasks = [(name, [run.masks.get(name, {}) for run in runs]) for name in shared]
    results = _spread(_agree, tasks, workers, lambda task: progress(f"agreement: {task[0]}"))
    found = dict(zip(shared, results, strict=True))
    agreement = {name: result for name, result in found.items() if not isinstance(result, str)}
    return agreement, {name: result for name, result in found.items() if isinstance(result, str)}


def _spread(
    work: Callable[[Task], Outcome], tasks: Sequence[Task], workers: int | None, done: Callable[[Task], None]
) -> list[Outcome]:
    """Run tasks in several processes and return the results in the order of the tasks."""
    workers = min(workers or available_cpus(), len(tasks))
    if workers <= 1:
        return list(_reported(map(work, tasks), tasks, done))
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(_reported(pool.map(work, tasks), tasks, done))


def _reported(results: Iterable[Outcome], tasks: Sequence[Task], done: Callable[[Task], None]) -> Iterable[Outcome]:
    for task, result in zip(tasks, results, strict=True):
        done(task)
        yield result


def _score(task: tuple[int, Path, layouts.Sequence]) -> SequenceScores | str:
    """Score one sequence of one run; the error's text if that is not possible."""
    _, folder, sequence = task
    try:
        return scoring.evaluate(folder, Dataset(sequence.name, [sequence]), workers=1).sequences[sequence.name]
    except CycleVOSError as error:
        return str(error)


def _agree(task: tuple[str, Sequence[dict[str, Path]]]) -> Agreement | str:
    try:
        return object_agreement(task[1])
    except CycleVOSError as error:
        return str(error)
