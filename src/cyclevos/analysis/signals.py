"""The signals of reliability together with the truth: what a predictor is fitted to, and measured on.

Shapes: N masks, S signals.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.datasets.first_masks import first_masks
from cyclevos.datasets.layouts import Dataset, Sequence
from cyclevos.errors import DatasetError
from cyclevos.evaluation.calibration import FAILED
from cyclevos.evaluation.mask_pairs import read_truth
from cyclevos.labels import IGNORE
from cyclevos.masks import binary_iou
from cyclevos.media.image_folder import ImageFiles
from cyclevos.propagation.predictor import SIGNALS
from cyclevos.propagation.propagator import Propagator
from cyclevos.words import counted

TRUTH = len(SIGNALS)
"""The column of true J in the rows of :func:`collect_rows`; the next one is the object's share of the frame."""

MIN_SEQUENCES = 4
"""Sequences that a calibration needs at least: it is checked on sequences that it was not fitted to."""

_LEAST_SPREAD = 0.01  # standard deviation of J; below it there is nothing to predict


@dataclass(frozen=True)
class SignalTable:
    """Signals and true J of masks.

    Attributes:
        signals: (N,S).
        truth: (N,), true J.
        sequences: (N,), the number of each mask's sequence.
    """

    signals: Tensor
    truth: Tensor
    sequences: NDArray[np.int64]

    @classmethod
    def joined(cls, rows: Iterable[NDArray[np.float32]]) -> SignalTable:
        """Join the rows of several sequences, as :func:`collect_rows` returns them."""
        tables = list(rows)
        table = torch.from_numpy(np.concatenate(tables))
        numbers = np.repeat(np.arange(len(tables)), [len(each) for each in tables])
        return cls(table[:, :TRUTH], table[:, TRUTH], numbers)

    @property
    def failed(self) -> int:
        """Number of masks whose J is below 0.5."""
        return int((self.truth < FAILED).sum())

    def of(self, chosen: NDArray[np.bool_]) -> SignalTable:
        """Return some of the masks, bool (N,)."""
        inside = torch.from_numpy(chosen)
        return SignalTable(self.signals[inside], self.truth[inside], self.sequences[chosen])


def collect(
    dataset: Dataset,
    fresh: Callable[[], Propagator],
    frames: int | None = None,
    advance: Callable[[str], None] = lambda name: None,
) -> SignalTable:
    """Segment the sequences of a data set and return the signals and the true J of their masks.

    Args:
        dataset: sequences with masks of more than their first frames.
        fresh: makes a propagator that has seen nothing.
        frames: frames of each sequence at most; None = all.
        advance: called with the sequence's name after each frame.

    Raises:
        DatasetError: fewer than :data:`MIN_SEQUENCES` sequences have masks to compare with, or J is the same in all.
        CycleVOSError: frames or masks cannot be read.
    """
    check_truth(dataset)
    rows = [collect_rows(fresh(), sequence, frames, advance=advance) for sequence in dataset if _is_scored(sequence)]
    compared = [each for each in rows if len(each)]
    if len(compared) < MIN_SEQUENCES:
        raise DatasetError(
            f"{dataset.name}: masks can be compared with the ground truth in {counted(len(compared), 'sequence')}; a "
            f"calibration needs at least {MIN_SEQUENCES}.",
            "Give more sequences, or more frames of each.",
        )
    table = SignalTable.joined(compared)
    if float(table.truth.std()) < _LEAST_SPREAD:
        raise DatasetError(
            f"{dataset.name}: J is {float(table.truth.mean()):.3f} in all masks ({len(table.truth):,}), so there is "
            "nothing that a calibration could predict.",
            "Give videos in which the network does better in some frames than in others, or check the weights.",
        )
    return table


def check_truth(dataset: Dataset) -> None:
    """Check that enough sequences have masks of more than their first annotated frame.

    Raises:
        DatasetError: they have not.
    """
    found = sum(map(_is_scored, dataset))
    if found < MIN_SEQUENCES:
        raise DatasetError(
            f"{dataset.name}: masks beyond the first are known in {found} of {counted(len(dataset), 'sequence')}; "
            f"a calibration needs at least {MIN_SEQUENCES}, because it compares predicted masks with known ones.",
            "Give a data set, or a split, whose masks are public.",
        )


def collect_rows(
    propagator: Propagator,
    sequence: Sequence,
    frames: int | None = None,
    stride: int = 1,
    advance: Callable[[str], None] = lambda name: None,
) -> NDArray[np.float32]:
    """Segment a sequence from the first masks of its objects, and hold each mask against the ground truth.

    Args:
        propagator: one that has seen nothing.
        sequence: frames with masks.
        frames: frames to segment at most; None = all.
        stride: of the frames that have no annotation to start from, every n-th alone is segmented.
        advance: called with the sequence's name after each frame.

    Returns:
        float32 (N,S+2): signals, true J, and the object's true share of the frame.

    Raises:
        CycleVOSError: frames or masks cannot be read.
    """
    given = {index: image.ids for index, image in first_masks(sequence, later=True).items()}
    rows: list[list[float]] = []
    for frame in ImageFiles(sequence.frames):
        if frame.index % stride and frame.index not in given:
            continue
        if frames is not None and frame.index >= frames * stride:
            break
        prediction = propagator.advance(frame.index, frame.image, given.get(frame.index))
        if not prediction.annotated and frame.name in sequence.annotations:
            truth = read_truth(sequence, frame.name)
            scored = truth != IGNORE
            for i, signals in propagator.reliability.signals.items():
                j = binary_iou((prediction.ids == i) & scored, truth == i)
                rows.append([*signals.tolist(), j, float((truth == i).mean())])
        advance(sequence.name)
    return np.array(rows, np.float32).reshape(-1, TRUTH + 2)


def _is_scored(sequence: Sequence) -> bool:
    return len(sequence.annotations) > 1
