"""Scoring a folder of results by a protocol, with one process per CPU."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from cyclevos.datasets.layouts import Dataset, Sequence
from cyclevos.errors import ConfigError, DatasetError
from cyclevos.evaluation.islands import has_island
from cyclevos.evaluation.mask_pairs import MaskPairs
from cyclevos.evaluation.measures import (
    boundary_f_measure,
    boundary_tolerance,
    region_similarity,
    statistics,
)
from cyclevos.evaluation.protocols import CountedObjects, Protocol, scored_frames
from cyclevos.evaluation.scores import Evaluation, ObjectScores, SequenceScores, mean_scores
from cyclevos.files.host import available_cpus
from cyclevos.words import counted, listed


def evaluate(
    results_dir: str | Path,
    dataset: Dataset,
    *,
    protocol: Protocol | str = Protocol.DAVIS,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Score a folder of predicted masks against a data set's ground truth.

    Args:
        results_dir: holds `<sequence>/<frame>.png`, indexed or grey, pixel value = object id.
        dataset: the sequences to score, from `open_dataset`.
        protocol: whose rules decide which frames and objects count.
        workers: processes that share the sequences; None takes one per CPU. The result is the same for any number.
        progress: called with the name of each sequence as it is scored.

    Returns:
        Scores of every object, of every sequence, and overall.

    Raises:
        DatasetError: the result of a sequence or frame is missing, differs in size from the ground truth, is not an
            id mask, or holds an id that the ground truth does not have.
        ConfigError: `workers` is below 1, or the protocol is not one of `Protocol`.
    """
    protocol = _protocol(protocol)
    if workers is not None and workers < 1:
        raise ConfigError(f"Expected 1 or more workers, got {workers}.", "Give at least 1.")
    results_dir = Path(results_dir)
    _check_complete(results_dir, dataset, protocol)
    workers = min(workers or available_cpus(), len(dataset))
    finished: dict[str, SequenceScores] = {}
    if workers == 1:
        for sequence in dataset:
            finished[sequence.name] = evaluate_sequence(results_dir / sequence.name, sequence, protocol)
            if progress is not None:
                progress(sequence.name)
    else:
        finished = _evaluate_in_processes(results_dir, dataset, protocol, workers, progress)
    objects = [each for sequence in finished.values() for each in sequence.objects.values()]
    return Evaluation(dataset=dataset.name, overall=mean_scores(objects), sequences=finished, protocol=protocol.value)


def evaluate_sequence(results_dir: Path, sequence: Sequence, protocol: Protocol = Protocol.DAVIS) -> SequenceScores:
    """Score one sequence; two masks are in memory at a time.

    Args:
        results_dir: holds `<frame>.png`.
        sequence: its frames' ground truth.
        protocol: whose rules decide which frames and objects count.

    Raises:
        DatasetError: as `evaluate`.
    """
    pairs = MaskPairs(results_dir, sequence)
    if protocol is Protocol.DAVIS and not pairs.first_ids:
        raise DatasetError(
            f"The first mask of sequence '{sequence.name}' ({sequence.annotations[sequence.first_annotated]}) shows "
            "no object; expected at least one id above 0.",
            "Leave the sequence out, or score it with the protocol per-appearance.",
        )
    counted = CountedObjects(protocol, pairs.first_ids)
    values: dict[int, list[_FrameScores]] = {}
    for name in scored_frames(sequence, protocol):
        truth, prediction = pairs.read(name)
        tolerance = boundary_tolerance(*truth.shape)
        for object_id in counted.of_frame(truth, prediction):
            predicted, wanted = prediction == object_id, truth == object_id
            region = region_similarity(predicted, wanted)
            boundary = boundary_f_measure(predicted, wanted, tolerance)
            island = has_island(predicted, wanted)
            values.setdefault(object_id, []).append(_FrameScores(name, region, boundary, island))
    objects = {each: _object_scores(each, values[each]) for each in sorted(values) if counted.is_reported(each)}
    if not objects:
        raise DatasetError(
            f"The ground truth of sequence '{sequence.name}' shows no object that the protocol {protocol.value} "
            "scores.",
            "Leave the sequence out.",
        )
    mean = mean_scores(objects.values())
    return SequenceScores(J=mean.J, F=mean.F, islands=mean.islands, name=sequence.name, objects=objects)


class _FrameScores(NamedTuple):
    """The scores of one object in one frame."""

    name: str
    region: float
    boundary: float
    island: bool


def _object_scores(object_id: int, values: list[_FrameScores]) -> ObjectScores:
    """Summarise an object's frames."""
    names, regions, boundaries, islands = zip(*values, strict=True)
    return ObjectScores(
        J=statistics(regions),
        F=statistics(boundaries),
        islands=sum(islands) / len(islands),
        object_id=object_id,
        frame_names=names,
        J_values=regions,
        F_values=boundaries,
        island_values=islands,
    )


def _protocol(name: Protocol | str) -> Protocol:
    try:
        return Protocol(name)
    except ValueError as error:
        raise ConfigError(f"The protocol '{name}' is unknown.", f"Use one of {', '.join(Protocol)}.") from error


def _evaluate_in_processes(
    results_dir: Path,
    dataset: Dataset,
    protocol: Protocol,
    workers: int,
    progress: Callable[[str], None] | None,
) -> dict[str, SequenceScores]:
    """Share the sequences among processes, longest first, so that none is left running alone at the end."""
    # A fork would copy the caller's memory and the locks of its threads; spawn works the same on every system.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = {
            sequence.name: pool.submit(evaluate_sequence, results_dir / sequence.name, sequence, protocol)
            for sequence in sorted(dataset, key=lambda each: -len(each.annotations))
        }
        finished: dict[str, SequenceScores] = {}
        try:
            # Collected in the data set's order, so that the same one of several errors is raised every time.
            for sequence in dataset:
                finished[sequence.name] = futures[sequence.name].result()
                if progress is not None:
                    progress(sequence.name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return finished


def _check_complete(results_dir: Path, dataset: Dataset, protocol: Protocol) -> None:
    """Check that every file to be scored exists, before any work is done."""
    if not results_dir.is_dir():
        raise DatasetError(f"The results folder {results_dir} does not exist.", "Check the path.")
    absent = [each.name for each in dataset if not (results_dir / each.name).is_dir()]
    if absent:
        raise DatasetError(
            f"{results_dir} lacks the folders of {len(absent)} of {counted(len(dataset), 'sequence')}: "
            f"{listed(absent)}; expected <results>/<sequence>/<frame>.png.",
            "Segment them, or score some sequences only: --sequences.",
        )
    for sequence in dataset:
        folder = results_dir / sequence.name
        present = {path.name for path in folder.iterdir()}
        missing = [name for name in scored_frames(sequence, protocol) if f"{name}.png" not in present]
        if missing:
            raise DatasetError(
                f"Sequence '{sequence.name}' lacks the results of {counted(len(missing), 'frame')}, "
                f"the first is {folder / missing[0]}.png. Every frame with ground truth needs a result.",
                "Segment the sequence again.",
            )
