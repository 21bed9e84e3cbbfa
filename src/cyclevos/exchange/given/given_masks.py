"""The annotations that a user gives for a video: read in any format, matched to their frames, and checked."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cyclevos.errors import MaskError
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.frame_matching import FrameNames
from cyclevos.exchange.given.mask_reading import STRICT, MaskReading
from cyclevos.exchange.given.mask_sizes import CameraTurn, MaskFitter
from cyclevos.exchange.given.matched_masks import read_matched_masks
from cyclevos.exchange.given.places import find_masks
from cyclevos.exchange.given.reach import check_reach, reach_notes
from cyclevos.media.sources import FrameSource
from cyclevos.pictures import mask_notes
from cyclevos.pictures.mask_files import MaskImage

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class GivenMasks(Mapping[int, MaskImage]):
    """The masks that a user gives for one video, by frame index.

    Attributes:
        images: the masks.
        notes: what the user should know about them, a sentence each; they have been logged.
        names: names by object id, for the objects that have one.
    """

    images: Mapping[int, MaskImage]
    notes: tuple[str, ...] = ()
    names: Mapping[int, str] = field(default_factory=dict)

    def __getitem__(self, index: int) -> MaskImage:
        """Return the mask of a frame."""
        return self.images[index]

    def __iter__(self) -> Iterator[int]:
        return iter(self.images)

    def __len__(self) -> int:
        return len(self.images)


def read_masks(
    path: str | Path,
    frame_names: Sequence[str] | None,
    *,
    frame_count: int | None = None,
    source_name: str = "",
    is_settled: bool = False,
    fit_to: tuple[int, int] | None = None,
    camera_turn: CameraTurn | None = None,
    reading: MaskReading = STRICT,
) -> GivenMasks:
    """Read the annotated frames' masks.

    In pictures of ids, 255 becomes object 1 if no mask holds any other id; otherwise it marks unknown pixels in all.

    Args:
        path: one picture of ids, which belongs to the first frame, or a file of several, which are those of the first
            frames; a folder of pictures named after their frames; masks in any registered format that is read, with
            pictures named after their frames; or a ZIP archive of any of these.
        frame_names: the source's frame names; None for a video, whose masks are named by frame index
            ("00012.png" or "12.png").
        frame_count: number of frames of such a video; None if unknown.
        source_name: name of the source, which may stand in the names of its masks.
        is_settled: the masks are those of one frame, the only one of `frame_names`, whatever they are called.
        fit_to: (height, width) that every mask must have.
        camera_turn: returns how a frame's raw pixels were turned upright, since a mask may have been made from those.
        reading: what to do with masks that do not fit.

    Returns:
        Masks by frame index, in ascending order.

    Raises:
        MaskError: there are no masks, a mask matches no frame, two match the same frame, a mask has the wrong size, or
            as in read_labels.
    """
    path, frames = Path(path), FrameNames(frame_names, frame_count, source_name, is_settled)
    if not path.exists():
        raise MaskError(
            f"{path} does not exist. Expected a file or folder of masks.",
            "Check the spelling.",
        )
    with find_masks(path, reading.format) as place:
        fitter = None if fit_to is None else MaskFitter(fit_to, reading, camera_turn)
        options = ReadOptions(length=frames.length, overlap=reading.overlap, size=fit_to, keep_255=reading.keep_255)
        masks, files, names, said = read_matched_masks(place, frames, reading, options, fitter)
        notes = [*([] if place.note is None else [place.note]), *said]
        if fitter is not None:
            for index, mask in masks.items():
                masks[index] = fitter.fit(mask, index, files[index])
        notes += mask_notes.by_file((files[index], mask) for index, mask in masks.items())
    notes = [place.shown(note) for note in notes]
    for note in notes:
        logger.warning("%s", note)
    return GivenMasks(masks, tuple(notes), names)


def read_source_masks(path: str | Path, source: FrameSource, reading: MaskReading = STRICT) -> GivenMasks:
    """Read the masks for an opened source, in its size; otherwise like :func:`read_masks`."""
    return read_masks(
        path,
        source.frame_names,
        frame_count=source.len_hint,
        source_name=source.name,
        fit_to=source.size,
        camera_turn=source.camera_turn,
        reading=reading,
    )


def read_reaching_masks(
    path: str | Path,
    source: FrameSource,
    direction: Literal["forward", "backward", "both"],
    reading: MaskReading = STRICT,
) -> GivenMasks:
    """Read the masks that a run propagates, and warn of frames that none reaches; else like :func:`read_source_masks`.

    Args:
        path: the masks.
        source: the frames.
        direction: of the run.
        reading: what to do with masks that do not fit.

    Raises:
        MaskError: the masks cannot be used, or no other frame lies in the direction.
    """
    return reaching(read_source_masks(path, source, reading), source, direction)


def reaching(images: GivenMasks, source: FrameSource, direction: Literal["forward", "backward", "both"]) -> GivenMasks:
    """Return the masks that a run propagates with what the user should know about how far they reach; it is logged.

    Args:
        images: the masks.
        source: the frames.
        direction: of the run.

    Raises:
        MaskError: no other frame lies in the direction.
    """
    shown = [index for index, image in images.items() if image.object_ids]
    blank = [index for index in images if index not in shown]
    if shown:
        check_reach(shown, direction, source.len_hint)
        notes = reach_notes(shown, blank, direction, source.len_hint, source.frame_names)
        for note in notes:
            logger.warning("%s", note)
        return replace(images, notes=(*images.notes, *notes))
    return images
