"""The masks that a run of a sequence starts from: each object's first mask."""

from __future__ import annotations

import numpy as np

from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import DatasetError, MaskError
from cyclevos.labels import IGNORE
from cyclevos.media.image_folder import ImageFiles
from cyclevos.naming import size_text
from cyclevos.pictures.mask_files import MaskImage


def first_masks(sequence: Sequence, *, later: bool = False) -> dict[int, MaskImage]:
    """Read the masks a run starts from.

    Args:
        sequence: the sequence.
        later: include objects that appear after the first annotated frame, each with its first mask only
            (YouTube-VOS); otherwise only those of the first annotated frame that shows an object (DAVIS).

    Returns:
        Masks by frame index; pixels to ignore count as background.

    Raises:
        DatasetError: no mask of the sequence shows an object.
        MaskError: a mask cannot be read, or has another size than the frames.
        VideoError: the frames cannot be read.
    """
    masks: dict[int, MaskImage] = {}
    found: set[int] = set()
    size = ImageFiles(sequence.frames[:1]).size
    for index, name in enumerate(sequence.frame_names):
        if name not in sequence.annotations:
            continue
        image = sequence.masks.read(sequence.annotations[name])
        if image.size != size:
            raise MaskError(
                f"{sequence.annotations[name]} is {size_text(image.size)}, the frames of sequence {sequence.name} are "
                f"{size_text(size)} (width x height). Expected masks of the frames' size.",
                "Export the mask again in the size of the frames as they are displayed.",
            )
        new = set(image.object_ids) - found - {IGNORE}
        if new:
            ids = np.where(np.isin(image.ids, sorted(new)), image.ids, 0).astype(np.uint8)
            masks[index] = MaskImage(ids, image.palette)
            found |= new
        if found and not later:
            break
    if not masks:
        raise DatasetError(f"Sequence {sequence.name}: none of its masks shows an object.", "Remove it from the split.")
    return masks


def left_out(sequence: Sequence) -> dict[int, str]:
    """Return the objects that a run of the first annotated objects leaves out, since they begin later.

    Args:
        sequence: the sequence.

    Returns:
        By object id, the name of the first frame whose mask shows it. Masks that cannot be read are passed over: the
        run does not need them.
    """
    first: dict[int, str] = {}
    begun: set[int] = set()
    for name in sequence.frame_names:
        if name not in sequence.annotations:
            continue
        try:
            shown = set(sequence.masks.read(sequence.annotations[name]).object_ids) - {IGNORE}
        except MaskError:
            continue
        if not begun:
            begun = shown
        for object_id in sorted(shown - begun - set(first)):
            first[object_id] = name
    return first
