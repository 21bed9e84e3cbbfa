"""What a semi-supervised run may know of a sequence: each object's first mask."""

from __future__ import annotations

import numpy as np

from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import DatasetError
from cyclevos.losses import IGNORE
from cyclevos.video import MaskImage, read_mask


def first_masks(sequence: Sequence, *, later: bool = False) -> dict[int, MaskImage]:
    """Read the masks a run starts from.

    Args:
        sequence: the sequence.
        later: also give objects that appear after the first annotated frame, each with its first mask
            alone (YouTube-VOS); otherwise only those of the first annotated frame (DAVIS).

    Returns:
        Masks by frame index; void pixels count as background.

    Raises:
        DatasetError: no mask of the sequence shows an object.
        MaskError: a mask cannot be read.
    """
    masks: dict[int, MaskImage] = {}
    known: set[int] = set()
    for index, name in enumerate(sequence.frame_names):
        if name not in sequence.annotations:
            continue
        image = read_mask(sequence.annotations[name])
        new = set(image.object_ids) - known - {IGNORE}
        if new:
            ids = np.where(np.isin(image.ids, sorted(new)), image.ids, 0).astype(np.uint8)
            masks[index] = MaskImage(ids, image.palette)
            known |= new
        if known and not later:
            break
    if not masks:
        raise DatasetError(f"Sequence {sequence.name}: none of its masks shows an object. Remove it from the split.")
    return masks
