"""What a user should know about a mask that was read: how it was read, and why it may not be what was meant."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from cyclevos.pictures.mask_files import MaskImage
from cyclevos.pictures.palette import palette_colours
from cyclevos.words import counted

_MOST = 0.9  # share of the frame above which an object is more likely the background
_LIGHT, _DARK = 192, 64  # mean of red, green and blue from which a colour is light, and up to which it is dark


def texts(mask: MaskImage) -> Iterator[str]:
    """Yield what a user should know about a mask, as sentences without their file and full stop."""
    if mask.found:
        yield _mapping_text(mask.found)
    yield from mask.notes
    yield from _doubts(mask)


def by_file(masks: Iterable[tuple[Path, MaskImage]]) -> tuple[str, ...]:
    """Return what a user should know about masks, each text once and with the files that it is about.

    Args:
        masks: each mask with its file.
    """
    files: dict[str, list[Path]] = {}
    for file, mask in masks:
        for text in texts(mask):
            files.setdefault(text, []).append(file)
    return tuple(f"{_files_text(each)}: {text}." for text, each in files.items())


def _doubts(mask: MaskImage) -> Iterator[str]:
    """Yield why a mask may be another one than was meant."""
    size = max(mask.ids.size, 1)
    shares = {object_id: int(np.count_nonzero(mask.ids == object_id)) / size for object_id in mask.object_ids}
    reversed_colours = mask.palette is not None and set(shares) == {1} and _is_light_then_dark(mask.palette)
    if reversed_colours:
        yield (
            f"index 0 is light and index 1 is dark. By index, as it is read, the light {1 - shares[1]:.1%} of the "
            f"frame are background and the dark {shares[1]:.1%} are object 1. If by colour the light part was meant as "
            "the object, exchange indices 0 and 1 and export it again"
        )
    for object_id, share in shares.items():
        if share > _MOST and not reversed_colours:
            yield (
                f"object {object_id} covers more than {_MOST:.0%} of the frame. If that is the background, invert the "
                "mask and export it again"
            )
    if len(shares) > 1 and mask.ids.all() and max(shares.values()) <= _MOST:
        yield (
            f"no pixel is background, which is 0, and object {max(shares, key=lambda i: shares[i])} is the largest. If "
            "that is the background, make its pixels 0, or leave its mask out"
        )


def _is_light_then_dark(palette: bytes) -> bool:
    first, second = palette_colours(palette)[:2].mean(-1)
    return bool(first >= _LIGHT and second <= _DARK)


def _files_text(files: Sequence[Path]) -> str:
    return f"{files[0]} and {counted(len(files) - 1, 'other mask')}" if files[1:] else str(files[0])


def _mapping_text(found: Mapping[str, int | None]) -> str:
    """Write "(0,0,0) is background, (255,20,20) is object 1"."""
    meanings = {None: "unknown", 0: "background"}
    return ", ".join(f"{value} is {meanings.get(label, f'object {label}')}" for value, label in found.items())
