"""Reading the masks of one sequence with one meaning of 255."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from cyclevos.labels import IGNORE, marks_one_object
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_files import MaskImage, read_labels


class SequenceMasks:
    """Reader of the masks of one sequence (or of one source of still images).

    255 is read as object 1, the sequence's only object, if no mask of the sequence holds any other id; otherwise it
    is `IGNORE`. To decide this, other masks are read only as far as needed: none for a mask without 255, and
    otherwise up to the first mask with another id. The decision is made once and kept.

    Args:
        files: all masks of the sequence.
    """

    def __init__(self, files: Iterable[Path]) -> None:
        self._files = tuple(files)
        self._one_object: bool | None = None

    def read(self, path: Path, *, exact: bool = False) -> MaskImage:
        """Read one of the masks.

        Args:
            path: its file.
            exact: see :func:`cyclevos.pictures.mask_files.read_labels`.

        Returns:
            Object ids; 255 marks the pixels to ignore.

        Raises:
            MaskError: the mask cannot be read, or another one that is needed to decide what 255 means.
        """
        mask = read_labels(path, exact=exact)
        if not (mask.ids == IGNORE).any() or not self._decide(mask.ids, exact):
            return mask
        return MaskImage((mask.ids > 0).astype(np.uint8), None)

    def is_one_object(self, *, exact: bool = False) -> bool:
        """Return whether 255 is the sequence's only object; raises as :meth:`read` does."""
        return self._decide(np.zeros((0, 0), np.uint8), exact)

    def _decide(self, ids: UInt8Array, exact: bool) -> bool:
        """Decide from one mask (H, W), and from the other files if it is not enough."""
        if self._one_object is None:
            shown = _labels_of(ids)
            for path in self._files:
                if shown - {0, IGNORE}:
                    break
                shown |= _labels_of(read_labels(path, exact=exact).ids)
            self._one_object = marks_one_object(shown)
        return self._one_object


def _labels_of(ids: UInt8Array) -> set[int]:
    """Return the values in a mask (H, W)."""
    return set(np.flatnonzero(np.bincount(ids.ravel(), minlength=256)).tolist())
