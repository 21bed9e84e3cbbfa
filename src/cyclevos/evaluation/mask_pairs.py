"""Reading a result with its ground truth, and refusing results that would be scored wrongly.

Pixels that the ground truth marks with `IGNORE` are not scored. What 255 means is decided once per sequence; if it is
the only object, the object is 1, and results may show it as 1 or as 255.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt

from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import DatasetError, MaskError
from cyclevos.evaluation.protocols import ids_in
from cyclevos.labels import IGNORE
from cyclevos.naming import size_text
from cyclevos.pictures.mask_files import read_labels

IdMask = npt.NDArray[np.uint8]


class MaskPairs:
    """The ground truth and the results of one sequence, read frame by frame.

    Args:
        results_dir: holds `<frame>.png`.
        sequence: its frames' ground truth.

    Attributes:
        first_ids: ids in the first annotated frame, ascending; may be empty.

    Raises:
        DatasetError: a ground truth mask cannot be read.
    """

    def __init__(self, results_dir: Path, sequence: Sequence) -> None:
        self._results_dir = results_dir
        self._sequence = sequence
        self.first_ids = sorted(self._truth_ids(sequence.first_annotated))

    def read(self, name: str) -> tuple[IdMask, IdMask]:
        """Read a frame's two masks.

        Returns:
            Ground truth and result, (H, W) uint8 each, both 0 where the ground truth is `IGNORE`.

        Raises:
            DatasetError: a mask is missing, broken or of the wrong size, or holds an id that is not allowed.
        """
        truth = read_truth(self._sequence, name)
        prediction = self._read_prediction(self._results_dir / f"{name}.png", truth)
        ignored = truth == IGNORE
        if ignored.any():
            return np.where(ignored, np.uint8(0), truth), np.where(ignored, np.uint8(0), prediction)
        return truth, prediction

    def _truth_ids(self, name: str) -> set[int]:
        return ids_in(read_truth(self._sequence, name)) - {IGNORE}

    @cached_property
    def _known_ids(self) -> set[int]:
        """Ids of the whole sequence; read only if a result shows an id that the first mask does not have."""
        return {i for name in self._sequence.annotations for i in self._truth_ids(name)}

    @cached_property
    def _is_one_object(self) -> bool:
        """Whether the sequence has a single object, which results may write as 255."""
        if self.first_ids:
            return self.first_ids == [1]
        try:
            return self._sequence.masks.is_one_object(exact=True)
        except MaskError as error:
            raise DatasetError(error.problem, error.remedy) from error

    def _read_prediction(self, path: Path, truth: IdMask) -> IdMask:
        """Read a result and check its size and ids against the ground truth."""
        prediction = read_ids(path)
        if prediction.shape != truth.shape:
            raise DatasetError(
                f"{path} is {size_text(prediction.shape)} but its ground truth is {size_text(truth.shape)}.",
                "Write results in the size of the ground truth.",
            )
        if self._is_one_object and not np.any(prediction == 1):
            prediction = np.where(prediction == IGNORE, np.uint8(1), prediction)
        known = sum(np.count_nonzero(prediction == object_id) for object_id in self.first_ids)
        if np.count_nonzero(prediction) != known:
            self._check_ids(prediction, path)
        return prediction

    def _check_ids(self, prediction: IdMask, path: Path) -> None:
        """Refuse ids that no ground truth of the sequence has; objects that first appear later are allowed."""
        unknown = ids_in(prediction) - self._known_ids
        if unknown:
            raise DatasetError(
                f"{path} holds the ids {', '.join(map(str, sorted(unknown)))}, which the ground truth of "
                f"'{self._sequence.name}' does not have; expected 0 and "
                f"{', '.join(map(str, sorted(self._known_ids)))}.",
                "Write results with the ids of the ground truth.",
            )


def read_truth(sequence: Sequence, name: str) -> IdMask:
    """Read the ground truth of an annotated frame, as uint8 ids (H, W) and `IGNORE`.

    Raises:
        DatasetError: the file is missing, broken or a colour image.
    """
    try:
        return sequence.masks.read(sequence.annotations[name], exact=True).ids
    except MaskError as error:
        raise DatasetError(error.problem, error.remedy) from error


def read_ids(path: Path) -> IdMask:
    """Read a result's object ids.

    Returns:
        (H, W) uint8, the pixel values of an indexed, grey or one-bit image.

    Raises:
        DatasetError: the file is missing, broken or a colour image.
    """
    try:
        return read_labels(path, exact=True).ids
    except MaskError as error:
        raise DatasetError(error.problem, error.remedy) from error
