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
from cyclevos.exchange.mask_reading import STRICT, MaskReading
from cyclevos.exchange.mask_sizes import CameraTurn, MaskFitter
from cyclevos.exchange.object_names import class_masks, label_map, recorded_names
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.media.sources import FrameSource
from cyclevos.naming import is_picture_file, list_masks
from cyclevos.pictures import mask_notes
from cyclevos.pictures.mask_files import MaskImage, given_objects, read_labels
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
    fit_to: tuple[int, int] | None = None,
    camera_turn: CameraTurn | None = None,
    reading: MaskReading = STRICT,
) -> GivenMasks:
    """Read the annotated frames' masks.

    In PNGs, 255 becomes object 1 if no mask holds any other id; otherwise it marks unknown pixels in all masks.

    Args:
        path: one PNG, which belongs to the first frame; a folder of PNGs named after their frames, or of one such
            folder per object; a data set with ``labelmap.txt`` as CVAT exports it; or a COCO or YouTube-VIS file with
            images named after their frames.
        frame_names: the source's frame names; None for a video, whose masks are named by frame index
            ("00012.png" or "12.png").
        frame_count: number of frames of such a video; None if unknown.
        source_name: name of the source, which may stand in the names of its masks.
        fit_to: (height, width) that every mask must have.
        camera_turn: tells how a frame's raw pixels, of which a mask may be, were turned to be upright.
        reading: what to do with masks that do not fit.

    Returns:
        Masks by frame index, in ascending order.

    Raises:
        MaskError: there are no masks, a mask matches no frame, two match the same frame, a mask has the wrong size, or
            as in read_labels.
    """
    path, frames = Path(path), FrameNames(frame_names, frame_count, source_name)
    notes: list[str] = []
    if not path.exists():
        raise MaskError(
            f"{path} does not exist. Expected a mask as PNG, or a folder of PNGs named after frames.",
            "Check the spelling.",
        )
    options = ReadOptions(overlap=reading.overlap, size=fit_to)
    fitter = None if fit_to is None else MaskFitter(fit_to, reading, camera_turn)
    if _is_label_pictures(path, frames, reading):
        found, names, said = _from_pictures(path, frames, reading, fitter)
    else:
        kind = reading.format or detect(path)
        found, names, said = _from_track(read_track(path, kind, options), frames, path, alone=holds_one_picture(kind))
    notes += said
    if fitter is not None:
        found = {k: (fitter.fit(mask, k, file), file) for k, (mask, file) in found.items()}
    notes += mask_notes.by_file((file, mask) for mask, file in found.values())
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
    images = read_source_masks(path, source, reading)
    shown = [index for index, image in images.items() if image.object_ids]
    blank = [index for index in images if index not in shown]
    if shown:
        _check_reach(shown, direction, source.len_hint)
        notes = [*_note_of_blank(blank), *_note_of_reach(shown, direction, source.len_hint)]
        for note in notes:
            logger.warning("%s", note)
        return replace(images, notes=(*images.notes, *notes))
    return images


def _note_of_blank(blank: Sequence[int]) -> list[str]:
    if not blank:
        return []
    frames = f"mask of frame {blank[0]} shows" if len(blank) == 1 else f"masks of frames {_listed(blank)} show"
    effect = "it has no effect" if len(blank) == 1 else "they have no effect"
    return [f"The {frames} no object, so {effect}: objects known from earlier frames are still predicted there."]


def _note_of_reach(shown: Sequence[int], direction: str, count: int | None) -> list[str]:
    """Return a note of the frames that no mask reaches in the run's direction.

    Args:
        shown: indices of the frames whose masks show an object.
        direction: of the run.
        count: number of frames; None if unknown.
    """
    first, last = min(shown), max(shown)
    if direction == "forward" and first > 0:
        which, empty = f"The first mask is that of frame {first}", range(first)
    elif direction == "backward" and count is not None and last < count - 1:
        which, empty = f"The last mask is that of frame {last}", range(last + 1, count)
    else:
        return []
    stay = f"frame {empty[0]} stays" if len(empty) == 1 else f"frames {empty[0]} to {empty[-1]} stay"
    return [
        f"{which}, counted from 0 (ffmpeg counts from 1), so {stay} empty: {counted(len(empty), 'frame')}. Give a mask "
        "there, or use --direction both."
    ]


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))


class _Found(NamedTuple):
    """What was read.

    Attributes:
        masks: the masks with their files, by frame index.
        names: of the objects, by id.
        notes: how masks and frames were matched, where that is worth a word.
    """

    masks: dict[int, tuple[MaskImage, Path]]
    names: Mapping[int, str]
    notes: list[str]


def _is_label_pictures(path: Path, frames: FrameNames, reading: MaskReading) -> bool:
    """Return whether masks are pictures of ids, one a frame, which are read as the user says how (`reading`)."""
    if reading.format is not None:
        return reading.format in ("masks", "indexed")
    if not path.is_dir():
        return is_picture_file(path)
    folder = class_masks(path)
    pictures = list_masks(folder)
    if not pictures:
        return False
    named = any(frames.index(file.stem) is not None for file in pictures)
    return named or folder != path or detect(path) == "masks"


def _from_track(track: MaskTrack, frames: FrameNames, path: Path, *, alone: bool) -> _Found:
    """Match the masks of another tool's format to the frames; a picture that is `alone` may be the first one's."""
    shown: dict[str, MaskFrame] = {}
    for frame in track.frames():
        if frame.ids.any() and shown.setdefault(frame.name, frame) is not frame:
            raise MaskError(
                f"{path} holds two pictures named {frame.name}, of different folders or endings.",
                "Export the pictures of one video by themselves.",
            )
    if not shown:
        raise MaskError(f"{path} marks no object. Expected at least one mask to start from.", "Export it again.")
    if track.by_position:
        matched = frames.match_positions({name: frame.index for name, frame in shown.items()}, path)
    else:
        matched = frames.match({name: name for name in shown}, path, alone=alone)
    masks = {k: (MaskImage(shown[name].ids, track.palette), path) for k, name in matched.names.items()}
    return _Found(masks, track.object_names, [] if matched.note is None else [matched.note])


def _from_pictures(path: Path, frames: FrameNames, reading: MaskReading, fitter: MaskFitter | None) -> _Found:
    """Read one picture, the first frame's mask, or a folder of them; what 255 means is decided for all together."""
    if path.is_dir():
        folder = class_masks(path)
        matched = frames.match({file.name: file.stem for file in list_masks(folder)}, folder)
        files = {index: folder / name for index, name in matched.names.items()}
        notes = [] if matched.note is None else [matched.note]
    else:
        files, notes = {0: path}, _note_of_name(path, frames)
    for index, file in files.items():
        if fitter is not None:
            fitter.check_file(file, index)
    first = next(iter(files.values()))
    labels = label_map(first)
    if labels is not None:
        return _Found({k: (labels.read(file), file) for k, file in files.items()}, labels.names, notes)
    read = [read_labels(file, fix_mask=reading.fix) for file in files.values()]
    masks = given_objects(read, keep_255=reading.keep_255)
    found = {k: (mask, file) for (k, file), mask in zip(files.items(), masks, strict=True)}
    return _Found(found, recorded_names(first.parent), notes)


def _note_of_name(path: Path, frames: FrameNames) -> list[str]:
    """Return a note of a single mask, which belongs to the first frame, that is named after another one."""
    if not frames.index(path.stem):
        return []
    return [
        f"{path} is used for the first frame, as every single mask is, although it is named after another one. To use "
        "it for that frame, put it in a folder and give the folder (--masks FOLDER)."
    ]


def _check_reach(shown: Sequence[int], direction: str, count: int | None) -> None:
    """Refuse masks from which no other frame of the video can be reached.

    Args:
        shown: indices of the frames whose masks show an object.
        direction: of the run.
        count: number of frames; None if unknown, then only the beginning is checked.
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
        f"Only the mask of {where} shows an object, and --direction {direction} propagates it to {way} frames, "
        "of which there are none.",
        f"Use --direction {instead} or both, or give the mask of another frame.",
    )
