"""Owns reading a result beside its ground truth, and refusing what would be scored as something else.

Where the ground truth says 255 nothing is scored. Ground truth of 0 and 255 alone is a single object, which becomes
object 1; a single object 1 may be predicted as 1 or as 255.
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import DatasetError
from cyclevos.evaluation.protocols import ids_in

IdMask = npt.NDArray[np.uint8]

IGNORE = 255
"""Ground truth label of pixels that are not scored, or the foreground of DAVIS-2016's own masks."""


class MaskPairs:
    """The ground truth and the results of one sequence, a frame at a time.

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
        first = ids_in(read_ids(sequence.annotations[sequence.first_annotated]))
        self._foreground_is_255 = (first or self._first_shown()) == {IGNORE}
        self.first_ids = sorted(_object_ids(first, self._foreground_is_255))

    def read(self, name: str) -> tuple[IdMask, IdMask]:
        """Read a frame's two masks.

        Returns:
            Ground truth and result, (H, W) uint8 each, both 0 where the ground truth is void.

        Raises:
            DatasetError: one is missing, broken or of another size, or holds an id that it may not hold.
        """
        truth = self._read_truth(self._sequence.annotations[name])
        prediction = self._read_prediction(self._results_dir / f"{name}.png", truth)
        void = truth == IGNORE
        if void.any():
            return np.where(void, np.uint8(0), truth), np.where(void, np.uint8(0), prediction)
        return truth, prediction

    def _first_shown(self) -> set[int]:
        """Ids of the first mask that is not empty; none where all are."""
        each = (ids_in(read_ids(path)) for path in self._sequence.annotations.values())
        return next((ids for ids in each if ids), set())

    @cached_property
    def _known_ids(self) -> set[int]:
        """Ids of the whole sequence; read only where a result shows an id that the first mask has not."""
        known: set[int] = set()
        for path in self._sequence.annotations.values():
            known |= _object_ids(ids_in(read_ids(path)), self._foreground_is_255)
        return known

    def _read_truth(self, path: Path) -> IdMask:
        """Read ground truth, with the foreground of 0/255 masks as object 1."""
        truth = read_ids(path)
        if not self._foreground_is_255:
            return truth
        if np.any((truth != 0) & (truth != IGNORE)):
            raise DatasetError(
                f"ground truth {path} has ids beside 0 and 255, but the sequence's first mask is 0/255; "
                "use one kind of mask within a sequence"
            )
        return _foreground_to_one(truth)

    def _read_prediction(self, path: Path, truth: IdMask) -> IdMask:
        """Read a result and hold it against its ground truth."""
        prediction = read_ids(path)
        if prediction.shape != truth.shape:
            raise DatasetError(
                f"{path} is {_size(prediction)} but its ground truth is {_size(truth)}; "
                "write results at the size of the ground truth"
            )
        single = self.first_ids == [1] or self._foreground_is_255
        if single and not np.any(prediction == 1):
            prediction = _foreground_to_one(prediction)
        known = sum(np.count_nonzero(prediction == object_id) for object_id in self.first_ids)
        if np.count_nonzero(prediction) != known:
            self._check_ids(prediction, path)
        return prediction

    def _check_ids(self, prediction: IdMask, path: Path) -> None:
        """Refuse ids that no ground truth of the sequence has; objects that appear later may be predicted."""
        unknown = ids_in(prediction) - self._known_ids
        if unknown:
            raise DatasetError(
                f"{path} holds the ids {', '.join(map(str, sorted(unknown)))}, which the ground truth of "
                f"'{self._sequence.name}' does not have; expected 0 and "
                f"{', '.join(map(str, sorted(self._known_ids)))}; write results with the ids of the ground truth"
            )


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


def _object_ids(labels: set[int], foreground_is_255: bool) -> set[int]:
    """Objects among a mask's labels."""
    if foreground_is_255:
        return {1} if labels else set()
    return labels - {IGNORE}


def _foreground_to_one(ids: IdMask) -> IdMask:
    """Turn 255 into object 1, in a copy."""
    return np.where(ids == IGNORE, np.uint8(1), ids)


def _size(mask: IdMask) -> str:
    """Width x height, as image tools give it."""
    return f"{mask.shape[1]}x{mask.shape[0]}"
