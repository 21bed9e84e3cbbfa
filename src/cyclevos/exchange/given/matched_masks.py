"""Masks read as the pictures that they are, or in the format that they have, and matched to the frames of a video."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from cyclevos.errors import MaskError
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.formats import detect, holds_one_picture, read_track
from cyclevos.exchange.frame_matching import FrameNames
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.exchange.given.mask_sizes import MaskFitter
from cyclevos.exchange.given.packed_masks import PackedMasks, decided
from cyclevos.exchange.given.places import Place
from cyclevos.exchange.object_names import recorded_names
from cyclevos.exchange.tools.class_masks import class_folder, read_class_masks
from cyclevos.exchange.tools.flat_objects import are_disjoint
from cyclevos.exchange.track import MaskTrack
from cyclevos.naming import is_picture_file, list_given_masks
from cyclevos.pictures.label_pictures import count_pictures
from cyclevos.pictures.mask_files import MaskImage, read_label_pages, read_labels
from cyclevos.words import counted


class MatchedMasks(NamedTuple):
    """Masks and the frames that they belong to.

    Attributes:
        masks: the masks by frame index.
        files: that they were read from.
        names: of the objects, by id.
        notes: what the user should know about how they were read and matched, a sentence each.
    """

    masks: PackedMasks
    files: Mapping[int, Path]
    names: Mapping[int, str]
    notes: list[str]


def read_matched_masks(
    place: Place, frames: FrameNames, reading: MaskReading, options: ReadOptions, fitter: MaskFitter | None
) -> MatchedMasks:
    """Read masks as the pictures that they are, or in the format that they have, and match them to the frames.

    Args:
        place: where they are.
        frames: the frames' names.
        reading: what to do with masks that do not fit.
        options: for the readers of other tools' formats.
        fitter: refuses pictures of another size before they are decoded; None = any size is right.

    Raises:
        MaskError: there are no masks, a mask matches no frame, two match the same frame, or as in read_labels.
    """
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


def _from_track(track: MaskTrack, frames: FrameNames, path: Path, *, alone: bool) -> MatchedMasks:
    """Match the masks of another tool's format to the frames; a picture that is `alone` may be the first one's."""
    shown: dict[str, int] = {}
    places: dict[str, int] = {}
    read = PackedMasks()
    for number, frame in enumerate(track.frames()):
        if not frame.ids.any():
            continue
        read[number] = MaskImage(frame.ids, track.palette)
        places[frame.name] = frame.index
        if shown.setdefault(frame.name, number) != number:
            raise MaskError(
                f"{path} holds two pictures named {frame.name}, of different folders or endings.",
                "Export the pictures of each video separately.",
            )
    if not shown:
        raise MaskError(f"{path} marks no object. Expected at least one mask to start from.", "Export it again.")
    if track.by_position:
        matched = frames.match_positions(places, path)
    else:
        matched = frames.match({name: name for name in shown}, path, alone=alone)
    masks = read.at({index: shown[name] for index, name in matched.names.items()})
    return MatchedMasks(
        masks,
        dict.fromkeys(masks, path),
        track.object_names,
        [*track.notes, *([] if matched.note is None else [matched.note])],
    )


def _from_pictures(
    path: Path, frames: FrameNames, reading: MaskReading, fitter: MaskFitter | None, *, alone: bool
) -> MatchedMasks:
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
        masks = PackedMasks()
        for index, frame in zip(files, track.frames(), strict=True):
            masks[index] = MaskImage(frame.ids, track.palette)
        return MatchedMasks(masks, files, track.object_names, [*notes, *track.notes])
    read = (read_labels(file, fix_mask=reading.fix) for file in files.values())
    return MatchedMasks(
        decided(zip(files, read, strict=True), reading.keep_255), files, recorded_names(first.parent), notes
    )


def _from_pages(path: Path, count: int, frames: FrameNames, reading: MaskReading) -> MatchedMasks:
    """Read the pictures of one file, such as a TIFF of (T,H,W), as the masks of the first frames."""
    frames.match_positions({path.name: count - 1}, path)  # the video has so many frames
    pages = decided(enumerate(read_label_pages(path, fix_mask=reading.fix)), reading.keep_255)
    for index in [index for index, page in pages.items() if not (page.object_ids or page.notes)]:
        if len(pages) > 1:
            del pages[index]
    note = f"{path} holds {count} pictures, which are taken for the masks of the first {count} frames."
    return MatchedMasks(pages, dict.fromkeys(pages, path), {}, [note])


def _note_of_name(path: Path, frames: FrameNames) -> list[str]:
    """Return a note of a single mask, which belongs to the first frame, that is named after another one."""
    if not frames.index(path.stem):
        return []
    return [
        f"{path} is used for the first frame, as every single mask is, although it is named after another one. To use "
        "it for that frame, put it in a folder and give the folder (--masks FOLDER)."
    ]
