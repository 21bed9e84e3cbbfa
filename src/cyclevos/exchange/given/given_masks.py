"""The annotations that a user gives for a video: read in any format, matched to their frames, and checked."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, NamedTuple

from cyclevos.errors import MaskError
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import detect, holds_one_picture, read_track
from cyclevos.exchange.frame_matching import FrameNames
from cyclevos.exchange.given.mask_reading import STRICT, MaskReading
from cyclevos.exchange.given.mask_sizes import CameraTurn, MaskFitter
from cyclevos.exchange.given.places import Place, find_masks
from cyclevos.exchange.given.reach import check_reach, reach_notes
from cyclevos.exchange.object_names import recorded_names
from cyclevos.exchange.tools.class_masks import class_folder, read_class_masks
from cyclevos.exchange.tools.flat_objects import are_disjoint
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.media.sources import FrameSource
from cyclevos.naming import is_picture_file, list_given_masks
from cyclevos.pictures import mask_notes
from cyclevos.pictures.label_pictures import count_pictures
from cyclevos.pictures.mask_files import MaskImage, given_objects, read_label_pages, read_labels
from cyclevos.words import counted

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
        found, names, said = _read(place, frames, reading, options, fitter)
        notes = [*([] if place.note is None else [place.note]), *said]
        if fitter is not None:
            found = {k: (fitter.fit(mask, k, file), file) for k, (mask, file) in found.items()}
        notes += mask_notes.by_file((file, mask) for mask, file in found.values())
    notes = [place.shown(note) for note in notes]
    for note in notes:
        logger.warning("%s", note)
    return GivenMasks({k: mask for k, (mask, _) in sorted(found.items())}, tuple(notes), names)


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


class _Found(NamedTuple):
    """What was read.

    Attributes:
        masks: the masks with their files, by frame index.
        names: of the objects, by id.
        notes: what the user should know about how they were read and matched, a sentence each.
    """

    masks: dict[int, tuple[MaskImage, Path]]
    names: Mapping[int, str]
    notes: list[str]


def _read(
    place: Place, frames: FrameNames, reading: MaskReading, options: ReadOptions, fitter: MaskFitter | None
) -> _Found:
    """Read masks as the pictures that they are, or in the format that they have."""
    path = place.path
    if _is_label_pictures(place, frames, reading):
        return _from_pictures(path, frames, reading, fitter, alone=place.root is not None)
    kind = place.kind or detect(path)
    return _from_track(read_track(path, kind, options), frames, path, alone=holds_one_picture(kind))


def _is_label_pictures(place: Place, frames: FrameNames, reading: MaskReading) -> bool:
    """Return whether masks are pictures of ids, one a frame, which are read as the user says how (`reading`)."""
    path = place.path
    if reading.format is not None:
        return reading.format in ("masks", "indexed")
    if not path.is_dir():
        return is_picture_file(path)
    if class_folder(path) is not None:
        return True
    pictures = list_given_masks(path)
    if any(frames.index(file.stem) is not None for file in pictures):
        return True
    if frames.may_be_numbers([file.stem for file in pictures]) and are_disjoint(pictures):
        raise MaskError(
            f"{path}: its {counted(len(pictures), 'mask')} may be those of different frames, by the numbers in their "
            "names, or those of different objects of the first frame, since no two share a pixel.",
            "Say which: --mask-format masks for frames, --mask-format objects-flat for objects.",
        )
    return (place.kind or detect(path)) == "masks"


def _from_track(track: MaskTrack, frames: FrameNames, path: Path, *, alone: bool) -> _Found:
    """Match the masks of another tool's format to the frames; a picture that is `alone` may be the first one's."""
    shown: dict[str, MaskFrame] = {}
    for frame in track.frames():
        if frame.ids.any() and shown.setdefault(frame.name, frame) is not frame:
            raise MaskError(
                f"{path} holds two pictures named {frame.name}, of different folders or endings.",
                "Export the pictures of each video separately.",
            )
    if not shown:
        raise MaskError(f"{path} marks no object. Expected at least one mask to start from.", "Export it again.")
    if track.by_position:
        matched = frames.match_positions({name: frame.index for name, frame in shown.items()}, path)
    else:
        matched = frames.match({name: name for name in shown}, path, alone=alone)
    masks = {k: (MaskImage(shown[name].ids, track.palette), path) for k, name in matched.names.items()}
    return _Found(masks, track.object_names, [*track.notes, *([] if matched.note is None else [matched.note])])


def _from_pictures(
    path: Path, frames: FrameNames, reading: MaskReading, fitter: MaskFitter | None, *, alone: bool
) -> _Found:
    """Read one picture, the first frame's mask, or several; what 255 means is decided for all together.

    The only picture of an archive (`alone`) is read as it would be without the archive.
    """
    count = 1 if path.is_dir() else count_pictures(path)
    if path.is_dir():
        folder = class_folder(path) or path
        matched = frames.match({file.name: file.stem for file in list_given_masks(folder)}, folder, alone=alone)
        files = {index: folder / name for index, name in matched.names.items()}
        notes = [] if matched.note is None else [matched.note]
    else:
        files, notes = {0: path}, _note_of_name(path, frames)
    for index, file in files.items():
        if fitter is not None:
            fitter.check_file(file, index)
    if count > 1:
        return _from_pages(path, count, frames, reading)
    first = next(iter(files.values()))
    if class_folder(first) is not None:
        track = read_class_masks(list(files.values()), ReadOptions(overlap=reading.overlap))
        images = (MaskImage(frame.ids, track.palette) for frame in track.frames())
        shown = {k: (mask, file) for (k, file), mask in zip(files.items(), images, strict=True)}
        return _Found(shown, track.object_names, [*notes, *track.notes])
    read = [read_labels(file, fix_mask=reading.fix) for file in files.values()]
    masks = given_objects(read, keep_255=reading.keep_255)
    found = {k: (mask, file) for (k, file), mask in zip(files.items(), masks, strict=True)}
    return _Found(found, recorded_names(first.parent), notes)


def _from_pages(path: Path, count: int, frames: FrameNames, reading: MaskReading) -> _Found:
    """Read the pictures of one file, such as a TIFF of (T,H,W), as the masks of the first frames."""
    frames.match_positions({path.name: count - 1}, path)  # the video has so many frames
    pages = given_objects(list(read_label_pages(path, fix_mask=reading.fix)), keep_255=reading.keep_255)
    shown = {k: (page, path) for k, page in enumerate(pages) if page.object_ids or page.notes}
    note = f"{path} holds {count} pictures, which are taken for the masks of the first {count} frames."
    return _Found(shown or {0: (pages[0], path)}, {}, [note])


def _note_of_name(path: Path, frames: FrameNames) -> list[str]:
    """Return a note of a single mask, which belongs to the first frame, that is named after another one."""
    if not frames.index(path.stem):
        return []
    return [
        f"{path} is used for the first frame, as every single mask is, although it is named after another one. To use "
        "it for that frame, put it in a folder and give the folder (--masks FOLDER)."
    ]
