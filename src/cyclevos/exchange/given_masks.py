"""The annotations that a user gives for a video: read in any format, matched to their frames, and checked."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.coco_json import read_json
from cyclevos.exchange.mask_reading import STRICT, MaskReading
from cyclevos.media.sources import FrameSource
from cyclevos.naming import FrameNames, is_mask_file, list_masks, size_text
from cyclevos.pictures.mask_files import MaskImage, one_object_to_1, read_labels

logger = logging.getLogger(__name__)


def read_masks(
    path: str | Path,
    frame_names: Sequence[str] | None,
    *,
    frame_count: int | None = None,
    fit_to: tuple[int, int] | None = None,
    reading: MaskReading = STRICT,
) -> dict[int, MaskImage]:
    """Read the annotated frames' masks.

    255 becomes object 1 if no mask holds any other id; otherwise 255 is an id like any other in all masks.

    Args:
        path: one PNG, which belongs to the first frame; a folder of PNGs named after their frames; or a COCO or
            YouTube-VIS file with images named after their frames.
        frame_names: the source's frame names; None for a video, whose masks are named by frame index
            ("00012.png" or "12.png").
        frame_count: number of frames of such a video; None if unknown.
        fit_to: (height, width) that every mask must have.
        reading: what to do with masks that do not fit.

    Returns:
        Masks by frame index, in ascending order.

    Raises:
        MaskError: there are no masks, a mask matches no frame, two match the same frame, a mask has the wrong size, or
            as in read_labels.
    """
    path, frames = Path(path), FrameNames(frame_names, frame_count)
    if not path.exists():
        raise MaskError(
            f"{path} does not exist. Expected a mask as PNG, or a folder of PNGs named after frames.",
            "Check the spelling.",
        )
    if path.suffix.lower() == ".json":
        found = _from_json(path, frames)
    elif path.is_dir():
        found = _from_files(_match_files(list_masks(path), frames, path), reading)
    else:
        found = _from_files({0: path}, reading)
        _warn_of_name(path, frames)
    if fit_to is not None:
        found = {k: (_fitted(mask, fit_to, reading, file), file) for k, (mask, file) in found.items()}
    return {k: mask for k, (mask, _) in sorted(found.items())}


def read_source_masks(path: str | Path, source: FrameSource, reading: MaskReading = STRICT) -> dict[int, MaskImage]:
    """Read the masks for an opened source, in its size; otherwise like :func:`read_masks`."""
    return read_masks(path, source.frame_names, frame_count=source.len_hint, fit_to=source.size, reading=reading)


def read_reaching_masks(
    path: str | Path,
    source: FrameSource,
    direction: Literal["forward", "backward", "both"],
    reading: MaskReading = STRICT,
) -> dict[int, MaskImage]:
    """Read the masks that a run propagates, and warn of blank ones; otherwise like :func:`read_source_masks`.

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
        if blank:
            logger.warning(
                "The masks of frames %s show no object, so they have no effect: objects known from earlier frames are "
                "still predicted there.",
                ", ".join(map(str, blank)),
            )
    return images


def _from_json(path: Path, frames: FrameNames) -> dict[int, tuple[MaskImage, Path]]:
    """Read a COCO or YouTube-VIS file's masks by frame index."""
    track = read_json(path)
    shown = {frame.name: MaskImage(frame.ids, track.palette) for frame in track.frames() if frame.ids.any()}
    if not shown:
        raise MaskError(f"{path} marks no object. Expected at least one mask to start from.", "Export it again.")
    # The names of images may end in .png, as those of masks do.
    matched = _match_names(
        {name: Path(name).stem if is_mask_file(Path(name)) else name for name in shown}, frames, path
    )
    return {k: (shown[name], path) for k, name in matched.items()}


def _from_files(files: dict[int, Path], reading: MaskReading) -> dict[int, tuple[MaskImage, Path]]:
    """Read masks by frame index; what 255 means is decided for all masks together."""
    masks = one_object_to_1([read_labels(file, fix_mask=reading.fix) for file in files.values()])
    return {k: (mask, file) for (k, file), mask in zip(files.items(), masks, strict=True)}


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


def _warn_of_name(path: Path, frames: FrameNames) -> None:
    """Warn of a single mask, which belongs to the first frame, that is named after another one."""
    if frames.index(path.stem):
        logger.warning(
            "%s is used for the first frame, as every single mask is, although it is named after another one. To use "
            "it for that frame, put it in a folder and give the folder (--masks FOLDER).",
            path,
        )


def _fitted(mask: MaskImage, size: tuple[int, int], reading: MaskReading, file: Path) -> MaskImage:
    if mask.size == size:
        return mask
    if not reading.fit:
        raise MaskError(
            f"{file} is {size_text(mask.size)} but the video is {size_text(size)} (width x height). A mask "
            "must have its video's size.",
            "Export it again, or use --fit-mask to resize it by nearest neighbour.",
        )
    resized = Image.fromarray(mask.ids).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return MaskImage(np.array(resized, dtype=np.uint8), mask.palette)


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
