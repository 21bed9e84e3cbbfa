"""The masks a user gives: read, and looked at for what they cannot mean."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from cyclevos.errors import MaskError
from cyclevos.exchange.given_masks import read_source_masks
from cyclevos.media.sources import FrameSource
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.propagation.segment import Direction

logger = logging.getLogger(__name__)


def read_given(
    path: Path, source: FrameSource, direction: Direction, *, fit_mask: bool, fix_mask: bool
) -> dict[int, MaskImage]:
    """Read the masks of a video; blank ones are warned of.

    Args:
        path: see :func:`cyclevos.exchange.given_masks.read_source_masks`, as the rest.
        source: the frames.
        direction: the masks are carried to.
        fit_mask: resize masks of another size.
        fix_mask: map foreign colours to ids.

    Raises:
        MaskError: they cannot be used, or no other frame lies in the direction.
    """
    images = read_source_masks(path, source, fit_mask=fit_mask, fix_mask=fix_mask)
    shown = [index for index, image in images.items() if image.object_ids]
    blank = [index for index in images if index not in shown]
    if shown:
        _check_reach(shown, direction, source.len_hint)
        if blank:
            logger.warning(
                "the masks of frames %s show no object, so they change nothing: objects known before are predicted "
                "there all the same",
                ", ".join(map(str, blank)),
            )
    return images


def _check_reach(shown: Sequence[int], direction: Direction, count: int | None) -> None:
    """Refuse masks from which the direction leads out of the video at once.

    Args:
        shown: frames whose masks show an object.
        direction: of the run.
        count: frames of the video, None where nobody knows: then only its beginning is known.
    """
    if count == 1:
        return
    if direction == "backward" and max(shown) == 0:
        where, way, instead = "the first frame", "earlier", "forward"
    elif direction == "forward" and count is not None and min(shown) >= count - 1:
        where, way, instead = f"frame {count - 1}, the last one,", "later", "backward"
    else:
        return
    raise MaskError(
        f"Only the mask of {where} shows an object, and --direction {direction} carries it to {way} frames, of which "
        f"there are none. Use --direction {instead} or both, or give the mask of another frame."
    )
