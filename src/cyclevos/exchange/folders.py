"""Masks as folders of PNGs: one indexed PNG per frame, or one black-and-white PNG per frame and object."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.track import MaskFrame, MaskTrack, merge_objects
from cyclevos.files.atomic import replacing
from cyclevos.media.frames import Frame
from cyclevos.media.writers import MaskWriter
from cyclevos.naming import list_masks, natural_key, size_text
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.mask_files import read_ground_truth
from cyclevos.pictures.sequence_masks import SequenceMasks

NAMES = "names.json"
"""Names of the objects by folder, beside the folders of objects that have one."""


def read_indexed(folder: Path) -> MaskTrack:
    """Read a folder of PNGs that hold object ids; where all hold nothing but 0 and 255 it is of object 1.

    Raises:
        MaskError: no PNG; a broken one when it comes to it.
    """
    files = list_masks(folder)
    if not files:
        raise MaskError(f"{folder} holds no PNG. Expected masks named after frames, e.g. 00000.png.")

    masks = SequenceMasks(files)

    def frames() -> Iterator[MaskFrame]:
        for index, file in enumerate(files):
            yield MaskFrame(index, file.stem, masks.read(file).ids)

    return MaskTrack(folder.resolve().name, frames, {}, masks.read(files[0]).palette)


def write_indexed(track: MaskTrack, folder: Path) -> None:
    """Write indexed PNGs.

    Raises:
        OutputError: the disk refuses.
    """
    with MaskWriter(folder, track.palette) as writer:
        for frame in track.frames():
            writer.write(blank_frame(frame), frame.ids)


def read_objects(folder: Path, overlap: str = "error") -> MaskTrack:
    """Read folders of black-and-white PNGs, one folder for each object.

    Folders named 1 to 255 are ids; others are names of objects, numbered in their order.

    Args:
        folder: holds them.
        overlap: see :func:`cyclevos.exchange.track.merge_objects`.

    Raises:
        MaskError: no object, or masks of one frame differ in size.
    """
    folders = object_folders(folder)
    if not 1 <= len(folders) <= 255:
        raise MaskError(f"{folder} holds {len(folders)} folders of PNGs. Expected 1 to 255, one for each object.")
    numbered = all(each.name.isdecimal() and 1 <= int(each.name) <= 255 for each in folders)
    ids = [int(each.name) if numbered else k for k, each in enumerate(folders, start=1)]
    if len(set(ids)) < len(ids):
        raise MaskError(f"{folder}: two folders stand for one object, say 1 and 01. Rename one of them.")
    names = _read_names(folder) if numbered else {k: each.name for k, each in zip(ids, folders, strict=True)}
    files = {
        object_id: {file.stem: file for file in list_masks(each)} for object_id, each in zip(ids, folders, strict=True)
    }
    frame_names = sorted({name for each in files.values() for name in each}, key=natural_key)

    def frames() -> Iterator[MaskFrame]:
        for index, name in enumerate(frame_names):
            masks: list[tuple[int, Any]] = []
            for object_id, each in files.items():
                if file := each.get(name):
                    masks.append((object_id, read_ground_truth(file).ids > 0))
                    if masks[0][1].shape != masks[-1][1].shape:
                        first, other = (size_text(mask.shape) for mask in (masks[0][1], masks[-1][1]))
                        raise MaskError(f"{file} is {other}, the same frame of another object {first}.")
            yield MaskFrame(index, name, merge_objects(masks, masks[0][1].shape, f"{folder}, frame {name}", overlap))

    return MaskTrack(folder.resolve().name, frames, names)


def write_objects(track: MaskTrack, folder: Path) -> None:
    """Write a black-and-white PNG for each frame and object: in every frame for each object that any frame shows.

    Raises:
        MaskError: no frame shows an object, so that there is no folder to write.
        OutputError: the disk refuses.
    """
    shown = sorted({int(i) for frame in track.frames() for i in np.unique(frame.ids) if i})
    if not shown:
        raise MaskError(
            "No mask shows an object, and folders of objects have no place for frames without any. "
            "Choose another format."
        )
    for frame in track.frames():
        for object_id in shown:
            with replacing(folder / str(object_id) / f"{frame.name}.png") as temporary:
                Image.fromarray((frame.ids == object_id).astype(np.uint8) * 255).save(temporary, format="PNG")
    if track.object_names:
        with replacing(folder / NAMES) as temporary:
            names = {str(k): name for k, name in sorted(track.object_names.items())}
            temporary.write_text(json.dumps(names, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def object_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that hold PNGs, hidden ones left out, in natural order."""
    holding = (
        each for each in folder.iterdir() if each.is_dir() and not each.name.startswith(".") and list_masks(each)
    )
    return sorted(holding, key=lambda each: natural_key(each.name))


def blank_frame(frame: MaskFrame) -> Frame:
    """Return a frame of that name and size whose pixels nobody looks at."""
    pixels: UInt8Array = np.broadcast_to(np.uint8(0), (*frame.ids.shape, 3))
    return Frame(frame.index, frame.name, pixels, None)


def _read_names(folder: Path) -> dict[int, str]:
    path = folder / NAMES
    if not path.is_file():
        return {}
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
        return {int(k): str(name) for k, name in names.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise MaskError(f'{path} is no list of names ({error}). Expected {{"1": "name"}}, or no such file.') from error
