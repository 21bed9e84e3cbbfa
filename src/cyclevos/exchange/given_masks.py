"""The masks that a user gives: of which frames they are, in whatever form they come."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.coco_json import read_json
from cyclevos.media.sources import FrameSource
from cyclevos.naming import index_name, natural_key, size_text
from cyclevos.pictures.mask_files import MaskImage, read_mask

logger = logging.getLogger(__name__)


def read_masks(
    path: str | Path,
    frame_names: Sequence[str] | None,
    *,
    frame_count: int | None = None,
    fit_to: tuple[int, int] | None = None,
    fit_mask: bool = False,
    fix_mask: bool = False,
) -> dict[int, MaskImage]:
    """Read the annotated frames' masks.

    Args:
        path: one PNG, which belongs to the first frame, a folder of PNGs named after their frames, or a COCO or
            YouTube-VIS file, whose images are named after their frames.
        frame_names: the source's frame names; None for a video, whose masks are named by frame index
            ("00012.png" or "12.png").
        frame_count: number of frames of such a video, if known.
        fit_to: (height, width) that every mask must have.
        fit_mask: resize masks of another size (nearest neighbour) instead of refusing them.
        fix_mask: see read_mask.

    Returns:
        Masks by frame index, in rising order.

    Raises:
        MaskError: no mask, a mask for no frame, two for one frame, another size, or as in read_mask.
    """
    path = Path(path)
    if not path.exists():
        raise MaskError(f"{path} does not exist. Expected a mask as PNG, or a folder of PNGs named after frames.")
    if path.suffix.lower() == ".json":
        track = read_json(path)
        shown = {frame.name: MaskImage(frame.ids, track.palette) for frame in track.frames() if frame.ids.any()}
        if not shown:
            raise MaskError(f"{path} marks no object. Expected at least one mask to start from.")
        matched = _match_frames(list(shown), path, frame_names, frame_count)
        found = {k: (shown[name], path) for k, name in matched.items()}
    elif path.is_dir():
        matched = _match_frames(_named_files(path), path, frame_names, frame_count)
        found = {k: (read_mask(path / name, fix_mask=fix_mask), path / name) for k, name in matched.items()}
    else:
        found = {0: (read_mask(path, fix_mask=fix_mask), path)}
        _warn_of_name(path, frame_names, frame_count)
    if fit_to is not None:
        found = {k: (_fitted(mask, fit_to, fit_mask, file), file) for k, (mask, file) in found.items()}
    return {k: mask for k, (mask, _) in sorted(found.items())}


def read_source_masks(
    path: str | Path, source: FrameSource, *, fit_mask: bool = False, fix_mask: bool = False
) -> dict[int, MaskImage]:
    """Read the annotated frames' masks of an opened source, in its size; all else is as for :func:`read_masks`."""
    return read_masks(
        path,
        source.frame_names,
        frame_count=source.len_hint,
        fit_to=source.size,
        fit_mask=fit_mask,
        fix_mask=fix_mask,
    )


def _named_files(folder: Path) -> list[str]:
    files = [f.name for f in folder.iterdir() if f.suffix.lower() == ".png" and not f.name.startswith(".")]
    if not files:
        raise MaskError(f"{folder} holds no PNG. Expected masks named after frames, e.g. 00000.png.")
    return sorted(files, key=natural_key)


def _match_frames(
    names: Sequence[str], where: Path, frame_names: Sequence[str] | None, frame_count: int | None
) -> dict[int, str]:
    known = None if frame_names is None else {name: index for index, name in enumerate(frame_names)}
    matched: dict[int, str] = {}
    for name in names:
        stem = name[:-4] if name.lower().endswith(".png") else name
        index = _video_index(stem, frame_count) if known is None else known.get(stem)
        if index is None:
            raise MaskError(
                f"the mask {where / name} belongs to no frame. {_expected_names(frame_names, frame_count)} "
                "Rename it after its frame, or take it out."
            )
        other = matched.setdefault(index, name)
        if other != name:
            raise MaskError(f"two masks for frame {index}: {where / other} and {name}. Keep one of them.")
    return matched


def _warn_of_name(path: Path, frame_names: Sequence[str] | None, frame_count: int | None) -> None:
    """Say so where a single mask, which belongs to the first frame, is named after another one."""
    later = _video_index(path.stem, frame_count) if frame_names is None else path.stem in frame_names[1:]
    if later:
        logger.warning(
            "%s is taken for the first frame, as every single mask, although it is named after another one: in a "
            "folder (--masks FOLDER) its name would count",
            path,
        )


def _video_index(stem: str, frame_count: int | None) -> int | None:
    if not (stem.isascii() and stem.isdigit()):
        return None
    index = int(stem)
    return index if frame_count is None or index < frame_count else None


def _expected_names(frame_names: Sequence[str] | None, frame_count: int | None) -> str:
    if frame_names is None:
        last = f" up to {index_name(frame_count - 1)}" if frame_count else ""
        return f"A video's masks are named by frame index, e.g. 00000.png or 12.png{last}."
    shown = [*frame_names[:3], "...", frame_names[-1]] if len(frame_names) > 4 else frame_names
    return f"The frames are named {', '.join(shown)}."


def _fitted(mask: MaskImage, size: tuple[int, int], fit_mask: bool, file: Path) -> MaskImage:
    if mask.size == size:
        return mask
    if not fit_mask:
        raise MaskError(
            f"{file} is {size_text(mask.size)} but the video is {size_text(size)} (width x height). A mask "
            "needs its video's size: export it again, or use --fit-mask to resize it by nearest neighbour."
        )
    resized = Image.fromarray(mask.ids).resize((size[1], size[0]), Image.Resampling.NEAREST)
    return MaskImage(np.array(resized, dtype=np.uint8), mask.palette)
