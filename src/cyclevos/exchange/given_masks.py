"""The annotations that a user gives for a video: read in any format, matched to their frames, and checked."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cyclevos.errors import MaskError
from cyclevos.exchange.coco_json import read_json
from cyclevos.exchange.folders import object_folders, read_objects
from cyclevos.exchange.mask_reading import STRICT, MaskReading
from cyclevos.exchange.mask_sizes import MaskFitter
from cyclevos.exchange.object_names import class_masks, label_map, recorded_names
from cyclevos.exchange.track import MaskTrack
from cyclevos.media.sources import FrameSource
from cyclevos.naming import FrameNames, is_mask_file, list_masks
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
    fit_to: tuple[int, int] | None = None,
    frame_files: Sequence[Path] | None = None,
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
        fit_to: (height, width) that every mask must have.
        frame_files: image files of the frames, whose EXIF orientation says how a mask of the raw pixels is turned.
        reading: what to do with masks that do not fit.

    Returns:
        Masks by frame index, in ascending order.

    Raises:
        MaskError: there are no masks, a mask matches no frame, two match the same frame, a mask has the wrong size, or
            as in read_labels.
    """
    path, frames = Path(path), FrameNames(frame_names, frame_count)
    notes: list[str] = []
    if not path.exists():
        raise MaskError(
            f"{path} does not exist. Expected a mask as PNG, or a folder of PNGs named after frames.",
            "Check the spelling.",
        )
    names: Mapping[int, str] = {}
    if path.suffix.lower() == ".json":
        found, names = _from_track(read_json(path), frames, path)
    elif path.is_dir() and not list_masks(path) and class_masks(path) == path and object_folders(path):
        found, names = _from_track(read_objects(path), frames, path)
    elif path.is_dir():
        folder = class_masks(path)
        found, names = _from_files(_match_files(list_masks(folder), frames, folder), reading)
    else:
        found, names = _from_files({0: path}, reading)
        notes += _note_of_name(path, frames)
    if fit_to is not None:
        fitter = MaskFitter(fit_to, reading, frame_files)
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
        fit_to=source.size,
        frame_files=source.files,
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


_Found = tuple[dict[int, tuple[MaskImage, Path]], Mapping[int, str]]
"""Masks with their files by frame index, and the names of the objects."""


def _from_track(track: MaskTrack, frames: FrameNames, path: Path) -> _Found:
    """Match the masks of another tool's format to the frames."""
    shown = {frame.name: MaskImage(frame.ids, track.palette) for frame in track.frames() if frame.ids.any()}
    if not shown:
        raise MaskError(f"{path} marks no object. Expected at least one mask to start from.", "Export it again.")
    # The names of images may end in .png, as those of masks do.
    matched = _match_names(
        {name: Path(name).stem if is_mask_file(Path(name)) else name for name in shown}, frames, path
    )
    return {k: (shown[name], path) for k, name in matched.items()}, track.object_names


def _from_files(files: dict[int, Path], reading: MaskReading) -> _Found:
    """Read masks by frame index; what 255 means is decided for all masks together."""
    first = next(iter(files.values()))
    labels = label_map(first)
    if labels is not None:
        return {k: (labels.read(file), file) for k, file in files.items()}, labels.names
    read = [read_labels(file, fix_mask=reading.fix) for file in files.values()]
    masks = given_objects(read, keep_255=reading.keep_255)
    return {k: (mask, file) for (k, file), mask in zip(files.items(), masks, strict=True)}, recorded_names(first.parent)


def _match_files(files: Sequence[Path], frames: FrameNames, folder: Path) -> dict[int, Path]:
    if not files:
        raise MaskError(
            f"{folder} holds no PNG. Expected masks named after frames, e.g. 00000.png.",
            "Give the folder of the masks.",
        )
    matched = _match_names({file.name: file.stem for file in files}, frames, folder)
    return {index: folder / name for index, name in matched.items()}


def _match_names(names: dict[str, str], frames: FrameNames, where: Path) -> dict[int, str]:
    """Match masks to frames.

    Args:
        names: frame name of each mask by the mask's own name.
        frames: the source's.
        where: the folder or file that holds the masks.

    Returns:
        The masks' own names by frame index.
    """
    matched: dict[int, str] = {}
    for name, frame_name in names.items():
        index = frames.index(frame_name)
        if index is None:
            raise MaskError(
                f"{where / name} belongs to no frame. {frames.expected()}",
                "Name the mask after its frame, or leave it out; check that these are the masks of this video.",
            )
        other = matched.setdefault(index, name)
        if other != name:
            raise MaskError(
                f"There are two masks for frame {index}: {where / other} and {name}.", "Keep one of the two masks."
            )
    return matched


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
