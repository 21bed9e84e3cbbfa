"""Owns the DAVIS semi-supervised protocol: which frames and objects of a result folder are scored.

The rules, which are those of the DAVIS-2017 evaluation and, for one object, of DAVIS-2016:

- The objects are those of the first annotated frame; that frame and the last annotated one are left out.
- Frames without ground truth are left out (sparse annotations).
- Where the ground truth says 255 nothing is scored: those pixels are removed from both masks.
- Ground truth of 0 and 255 alone is a single object, which becomes object 1; a single object 1 may be
  predicted as 1 or as 255.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.datasets.layouts import Dataset, Sequence
from cyclevos.errors import ConfigError, DatasetError
from cyclevos.evaluation.measures import (
    boundary_f_measure,
    boundary_tolerance,
    region_similarity,
    statistics,
)
from cyclevos.evaluation.scores import Evaluation, ObjectScores, SequenceScores, mean_scores

IdMask = npt.NDArray[np.uint8]

IGNORE = 255
"""Ground truth label of pixels that are not scored, or the foreground of DAVIS-2016's own masks."""


def evaluate(
    results_dir: str | Path,
    dataset: Dataset,
    *,
    workers: int | None = None,
    progress: Callable[[str], None] | None = None,
) -> Evaluation:
    """Score a folder of predicted masks against a data set's ground truth.

    Args:
        results_dir: holds `<sequence>/<frame>.png`, indexed or grey, pixel value = object id.
        dataset: the sequences to score, from `open_dataset`.
        workers: processes to spread the sequences over; None takes one per CPU. The result is the
            same for any number.
        progress: called with a sequence's name when its scores are there.

    Returns:
        Scores of every object, every sequence and overall.

    Raises:
        DatasetError: a predicted sequence or frame is missing, has another size than the ground truth,
            is no id mask or holds an id that the ground truth does not know.
        ConfigError: `workers` is below 1.
    """
    if workers is not None and workers < 1:
        raise ConfigError(f"expected 1 or more workers, got {workers}")
    results_dir = Path(results_dir)
    _check_complete(results_dir, dataset)
    workers = min(workers or os.cpu_count() or 1, len(dataset))
    finished: dict[str, SequenceScores] = {}
    if workers == 1:
        for sequence in dataset:
            finished[sequence.name] = evaluate_sequence(results_dir / sequence.name, sequence)
            if progress is not None:
                progress(sequence.name)
    else:
        finished = _evaluate_in_processes(results_dir, dataset, workers, progress)
    objects = [each for sequence in finished.values() for each in sequence.objects.values()]
    return Evaluation(dataset=dataset.name, overall=mean_scores(objects), sequences=finished)


def evaluate_sequence(results_dir: Path, sequence: Sequence) -> SequenceScores:
    """Score one sequence; two masks are in memory at a time.

    Args:
        results_dir: holds `<frame>.png`.
        sequence: its frames' ground truth.

    Raises:
        DatasetError: as `evaluate`.
    """
    object_ids, foreground_is_255 = _objects_of(sequence)
    regions: dict[int, list[float]] = {object_id: [] for object_id in object_ids}
    boundaries: dict[int, list[float]] = {object_id: [] for object_id in object_ids}
    names = scored_frames(sequence)
    for name in names:
        truth = _read_truth(sequence.annotations[name], foreground_is_255)
        prediction = _read_prediction(results_dir / f"{name}.png", truth, object_ids, sequence)
        ignored = truth == IGNORE
        tolerance = boundary_tolerance(*truth.shape)
        for object_id in object_ids:
            predicted, wanted = (prediction == object_id) & ~ignored, truth == object_id
            regions[object_id].append(region_similarity(predicted, wanted))
            boundaries[object_id].append(boundary_f_measure(predicted, wanted, tolerance))
    objects = {
        object_id: ObjectScores(
            J=statistics(regions[object_id]),
            F=statistics(boundaries[object_id]),
            object_id=object_id,
            frame_names=tuple(names),
            J_values=tuple(regions[object_id]),
            F_values=tuple(boundaries[object_id]),
        )
        for object_id in object_ids
    }
    mean = mean_scores(objects.values())
    return SequenceScores(J=mean.J, F=mean.F, name=sequence.name, objects=objects)


def scored_frames(sequence: Sequence) -> list[str]:
    """Names of the frames that count: all that have ground truth but the first and the last.

    Raises:
        DatasetError: none is left.
    """
    names = list(sequence.annotations)[1:-1]
    if not names:
        raise DatasetError(
            f"sequence '{sequence.name}' has ground truth for {len(sequence.annotations)} frames; expected "
            "3 or more, as the first and the last are not scored; leave the sequence out"
        )
    return names


def read_ids(path: Path) -> IdMask:
    """Read a mask file as object ids.

    Returns:
        (H, W) uint8, the pixel values of an indexed, grey or one-bit image.

    Raises:
        DatasetError: the file is missing, broken or a colour image.
    """
    try:
        with Image.open(path) as image:
            mode = image.mode
            # A one-bit image gives bool, so 0 and 1.
            ids = np.asarray(image, dtype=np.uint8) if mode in ("P", "L", "1") else None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise DatasetError(f"mask {path} cannot be read ({error}); write it again as a PNG") from error
    if ids is None:
        raise DatasetError(
            f"mask {path} is an image of mode {mode}; expected an indexed or 8-bit grey PNG whose "
            "pixel values are object ids"
        )
    return ids


def _evaluate_in_processes(
    results_dir: Path, dataset: Dataset, workers: int, progress: Callable[[str], None] | None
) -> dict[str, SequenceScores]:
    """Spread the sequences over processes, the longest first so that none ends late and alone."""
    # A fork would copy the caller's threads' locks and its memory; spawn is the same on every system.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context) as pool:
        futures = {
            sequence.name: pool.submit(evaluate_sequence, results_dir / sequence.name, sequence)
            for sequence in sorted(dataset, key=lambda each: -len(each.annotations))
        }
        finished: dict[str, SequenceScores] = {}
        try:
            # Collected in the data set's order, so that of several errors the same one is raised always.
            for sequence in dataset:
                finished[sequence.name] = futures[sequence.name].result()
                if progress is not None:
                    progress(sequence.name)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return finished


def _check_complete(results_dir: Path, dataset: Dataset) -> None:
    """Look for every file that will be scored before any of the work is done."""
    if not results_dir.is_dir():
        raise DatasetError(f"results folder {results_dir} does not exist; check the path")
    absent = [each.name for each in dataset if not (results_dir / each.name).is_dir()]
    if absent:
        raise DatasetError(
            f"{results_dir} lacks the folders of {len(absent)} of {len(dataset)} sequences: "
            f"{', '.join(absent[:8])}{', ...' if len(absent) > 8 else ''}; expected "
            "<results>/<sequence>/<frame>.png; segment them or name the sequences to score"
        )
    for sequence in dataset:
        folder = results_dir / sequence.name
        present = {path.name for path in folder.iterdir()}
        missing = [name for name in scored_frames(sequence) if f"{name}.png" not in present]
        if missing:
            raise DatasetError(
                f"sequence '{sequence.name}' lacks the results of {len(missing)} frames, "
                f"the first is {folder / missing[0]}.png; every frame with ground truth needs one"
            )


def _objects_of(sequence: Sequence) -> tuple[list[int], bool]:
    """Object ids of the first annotated frame, and whether 255 is a foreground and not a void."""
    path = sequence.annotations[sequence.first_annotated]
    labels = [label for label in np.unique(read_ids(path)).tolist() if label != 0]
    if labels == [IGNORE]:
        return [1], True
    object_ids = [label for label in labels if label != IGNORE]
    if not object_ids:
        raise DatasetError(
            f"the first mask of sequence '{sequence.name}' ({path}) shows no object; expected at least "
            "one id above 0; leave the sequence out"
        )
    return object_ids, False


def _read_truth(path: Path, foreground_is_255: bool) -> IdMask:
    """Read ground truth, with the foreground of 0/255 masks as object 1."""
    truth = read_ids(path)
    if not foreground_is_255:
        return truth
    if np.any((truth != 0) & (truth != IGNORE)):
        raise DatasetError(
            f"ground truth {path} has ids beside 0 and 255, but the sequence's first mask is 0/255; "
            "use one kind of mask within a sequence"
        )
    return _foreground_to_one(truth)


def _read_prediction(path: Path, truth: IdMask, object_ids: list[int], sequence: Sequence) -> IdMask:
    """Read a result and refuse what would be scored as something else than was meant."""
    prediction = read_ids(path)
    if prediction.shape != truth.shape:
        raise DatasetError(
            f"{path} is {_size(prediction)} but its ground truth is {_size(truth)}; "
            "write results at the size of the ground truth"
        )
    if object_ids == [1] and not np.any(prediction == 1):
        prediction = _foreground_to_one(prediction)
    known = sum(np.count_nonzero(prediction == object_id) for object_id in object_ids)
    if np.count_nonzero(prediction) != known:
        _check_extra_ids(prediction, object_ids, path, sequence)
    return prediction


def _foreground_to_one(ids: IdMask) -> IdMask:
    """Turn 255 into object 1, in a copy."""
    return np.where(ids == IGNORE, np.uint8(1), ids)


def _check_extra_ids(prediction: IdMask, object_ids: list[int], path: Path, sequence: Sequence) -> None:
    """Refuse ids that no ground truth of the sequence has; objects that appear later may be predicted."""
    unknown = set(np.unique(prediction).tolist()) - {0, *object_ids}
    for truth_path in sequence.annotations.values():
        unknown -= set(np.unique(read_ids(truth_path)).tolist()) - {IGNORE}
        if not unknown:
            return
    raise DatasetError(
        f"{path} holds the ids {', '.join(map(str, sorted(unknown)))}, which the ground truth of "
        f"'{sequence.name}' does not have; expected 0 and {', '.join(map(str, object_ids))}; "
        "write results with the ids of the first mask"
    )


def _size(mask: IdMask) -> str:
    """Width x height, as image tools give it."""
    return f"{mask.shape[1]}x{mask.shape[0]}"
