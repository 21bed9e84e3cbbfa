"""Masks as folders of PNGs: one indexed PNG per frame, or one black-and-white PNG per frame and object."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.object_names import is_run, recorded_names
from cyclevos.exchange.track import MaskFrame, MaskTrack, merge_objects, no_object_error
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.labels import IGNORE, UNKNOWN_NOTE, marks_one_given_object
from cyclevos.media.appearance import Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.writers import ResultWriter
from cyclevos.naming import index_name, list_folders, list_given_masks, list_masks, natural_key, size_text
from cyclevos.pictures import mask_notes
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.pictures.bounds import open_picture
from cyclevos.pictures.mask_files import MaskImage, read_ground_truth, read_label_pages, read_labels
from cyclevos.pictures.sequence_masks import SequenceMasks

NAMES = "names.json"
"""File next to the objects' folders that maps folder names to object names; only written where objects have names."""


def read_indexed(path: Path, *, keep_255: bool = False) -> MaskTrack:
    """Read pictures of object ids.


    If no PNG holds an id other than 255, 255 is object 1; beside other ids it marks unknown pixels, which belong to no
    object. In the masks of a run every value is an id, and the run's record names the objects.

    Args:
        path: a folder of pictures named after their frames; or a file of one or several, which are the first frames'.
        keep_255: 255 is an id like any other.

    Returns:
        The masks; each is read when its turn comes.

    Raises:
        MaskError: there are no pictures, or one is broken.
    """
    if not path.is_dir():
        return _pages(path, keep_255=keep_255)
    folder, files = path, list_given_masks(path)
    if not files:
        raise MaskError(f"{folder} holds no PNG.", "Give a folder of masks named after their frames, e.g. 00000.png.")

    exact = keep_255 or is_run(folder)
    masks = SequenceMasks(files)

    def ids(file: Path) -> UInt8Array:
        if exact:
            return read_labels(file).ids
        return _known(masks.read(file).ids)

    def frames() -> Iterator[MaskFrame]:
        for index, file in enumerate(files):
            yield MaskFrame(index, file.stem, ids(file))

    palette = (read_labels if exact else masks.read)(files[0]).palette
    appearance = Appearance(palette, recorded_names(folder))
    notes = () if exact else (*_note_of_unknown(folder, masks, files), *mask_notes.by_file(_read_each(masks, files)))
    return MaskTrack(folder.resolve().name, frames, appearance, notes=notes)


def _note_of_unknown(folder: Path, masks: SequenceMasks, files: Sequence[Path]) -> Iterator[str]:
    if any((masks.read(file).ids == IGNORE).any() for file in files):
        yield f"{folder}: {UNKNOWN_NOTE}."


def _read_each(masks: SequenceMasks, files: Sequence[Path]) -> Iterator[tuple[Path, MaskImage]]:
    return ((file, masks.read(file)) for file in files)


def _pages(path: Path, *, keep_255: bool) -> MaskTrack:
    """Read the pictures of one file as the masks of the first frames; 255 as :func:`read_indexed` does."""
    first = next(read_label_pages(path))
    labels = {label for page in read_label_pages(path) for label in page.object_ids}
    one_object = not keep_255 and marks_one_given_object(labels)
    unknown = not keep_255 and not one_object and IGNORE in labels

    def meant(ids: UInt8Array) -> UInt8Array:
        if one_object:
            return (ids > 0).astype(np.uint8)
        return _known(ids) if unknown else ids

    def frames() -> Iterator[MaskFrame]:
        for index, page in enumerate(read_label_pages(path)):
            yield MaskFrame(index, index_name(index), meant(page.ids))

    notes = mask_notes.by_file((path, replace(page, ids=meant(page.ids))) for page in read_label_pages(path))
    notes = (f"{path}: {UNKNOWN_NOTE}.", *notes) if unknown else notes
    return MaskTrack(path.stem, frames, Appearance(first.palette), by_position=True, notes=notes)


def _known(ids: UInt8Array) -> UInt8Array:
    return np.where(ids == IGNORE, 0, ids).astype(np.uint8)


def read_objects(folder: Path, overlap: str = "error") -> MaskTrack:
    """Read folders of black-and-white PNGs, one folder per object.

    If every folder is named by a number from 1 to 255, these are the object ids. Otherwise the folders' names are the
    objects' names, and the objects are numbered in the folders' natural order.

    Args:
        folder: the folder that holds them.
        overlap: see :func:`cyclevos.exchange.track.merge_objects`.

    Returns:
        The masks; each is read when its turn comes.

    Raises:
        MaskError: there are no objects or too many, two folders have the same number, or masks of a frame differ in
            size.
    """
    folders = object_folders(folder)
    if not 1 <= len(folders) <= 255:
        raise MaskError(
            f"{folder} holds {len(folders)} folders of PNGs; expected 1 to 255, one per object.",
            "Give the folder that holds the objects' folders.",
        )
    numbered = all(_is_id(each.name) for each in folders)
    ids = [int(each.name) if numbered else k for k, each in enumerate(folders, start=1)]
    if len(set(ids)) < len(ids):
        raise MaskError(f"{folder}: two folders name the same object, for example 1 and 01.", "Rename one of them.")
    names = _read_names(folder) if numbered else {k: each.name for k, each in zip(ids, folders, strict=True)}
    files = {
        object_id: {file.stem: file for file in list_masks(each)} for object_id, each in zip(ids, folders, strict=True)
    }
    frame_names = sorted({name for each in files.values() for name in each}, key=natural_key)

    def frames() -> Iterator[MaskFrame]:
        for index, name in enumerate(frame_names):
            shown = {object_id: each[name] for object_id, each in files.items() if name in each}
            yield MaskFrame(index, name, _merged(shown, f"{folder}, frame {name}", overlap))

    return MaskTrack(folder.resolve().name, frames, Appearance(names=names))


def _merged(files: Mapping[int, Path], where: str, overlap: str) -> UInt8Array:
    """Read one frame's masks by object id and merge them."""
    masks: list[tuple[int, Any]] = []
    for object_id, file in files.items():
        masks.append((object_id, read_ground_truth(file).ids > 0))
        if masks[0][1].shape != masks[-1][1].shape:
            first, other = (size_text(mask.shape) for mask in (masks[0][1], masks[-1][1]))
            raise MaskError(
                f"{file} is {other}, but another object's mask of the same frame is {first}.",
                "Export the masks of all objects in one size.",
            )
    return merge_objects(masks, masks[0][1].shape, where, overlap)


def write_objects(track: MaskTrack, folder: Path) -> None:
    """Write a black-and-white PNG `<object id>/<frame name>.png` per frame for each object that any frame shows.

    Args:
        track: the masks; they are read twice.
        folder: output folder; created if needed.

    Raises:
        MaskError: no frame shows an object, so there would be no folder to write.
        OutputError: the system refuses to write.
    """
    shown = track.object_ids()
    if not shown:
        raise no_object_error()
    for frame in track.frames():
        for object_id in shown:
            with replacing(folder / str(object_id) / f"{frame.name}.png") as temporary:
                _black_and_white(frame.ids, object_id).save(temporary, format="PNG")
    if track.object_names:
        with replacing(folder / NAMES) as temporary:
            names = {str(k): name for k, name in sorted(track.object_names.items())}
            temporary.write_text(json.dumps(names, ensure_ascii=False, indent=2) + "\n", encoding="utf-8", newline="\n")


class ObjectWriter(ResultWriter):
    """Black-and-white PNGs frame by frame, in folders named after the objects: `001_dog/<frame name>.png`.

    Args:
        folder: output folder; created if needed.
        names: name of every object that is written, by object id.
    """

    def __init__(self, folder: Path, names: Mapping[int, str]) -> None:
        appearance = Appearance(names=names)
        self._folders = {i: folder / appearance.file_name(i) for i in names}

    def write(self, result: FrameResult) -> None:
        """Write one frame's PNG of every object.

        Raises:
            OutputError: the system refuses to write.
        """
        for object_id, folder in self._folders.items():
            with replacing(folder / f"{result.name}.png") as temporary:
                _black_and_white(result.ids, object_id).save(temporary, format="PNG")


def remove_objects(folder: Path) -> None:
    """Delete what :func:`write_objects` wrote into a folder; anything else stays.

    Raises:
        OutputError: the system refuses to delete.
    """
    with output_errors(folder):
        for each in object_folders(folder) if folder.is_dir() else ():
            if _is_id(each.name):
                for file in list_masks(each):
                    if _is_black_and_white(file):
                        file.unlink()
                if not any(each.iterdir()):
                    each.rmdir()
        if folder.is_dir():
            (folder / NAMES).unlink(missing_ok=True)


def object_folders(folder: Path) -> list[Path]:
    """Return the folders in a folder that hold PNGs, except hidden ones, in natural order."""
    return [each for each in list_folders(folder) if list_masks(each)]


def _is_id(name: str) -> bool:
    return name.isdecimal() and 1 <= int(name) <= 255


def _black_and_white(ids: UInt8Array, object_id: int) -> Image.Image:
    return Image.fromarray((ids == object_id).astype(np.uint8) * 255)


def _is_black_and_white(file: Path) -> bool:
    """Return whether a PNG is 8-bit grey and holds nothing but 0 and 255, as ours do; broken files are not ours."""
    try:
        with open_picture(file) as image:
            counts = image.histogram() if image.mode == "L" else []
    except Exception:  # Pillow may raise any exception on a broken file
        return False
    return bool(counts) and not any(counts[1:255])


def _read_names(folder: Path) -> dict[int, str]:
    path = folder / NAMES
    if not path.is_file():
        return {}
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
        return {int(k): str(name) for k, name in names.items()}
    except (ValueError, AttributeError, RecursionError) as error:
        raise MaskError(
            f'{path} is not a list of names ({error}); expected {{"1": "name"}}.', "Correct the file or remove it."
        ) from error
