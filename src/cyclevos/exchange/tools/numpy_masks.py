"""Masks as NumPy arrays: ids of one frame or of several, or a stack of one mask per object, as SAM 2 returns them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.annotations import object_ids
from cyclevos.exchange.contents.numpy_files import StoredArray, stored_arrays
from cyclevos.exchange.format import ReadOptions
from cyclevos.exchange.track import MaskFrame, MaskTrack, check_frame_name, merge_objects
from cyclevos.labels import IGNORE, UNKNOWN_NOTE, marks_one_given_object
from cyclevos.media.appearance import Appearance
from cyclevos.naming import index_name
from cyclevos.pictures.arrays import UInt8Array
from cyclevos.words import counted

# Shapes: T frames, N objects, H height, W width.

_IDS = "ids"  # never one mask per object
_MASKS = (_IDS, "masks", "mask", "labels", "segmentation", "arr_0", "")
_OBJECT_IDS = ("obj_ids", "object_ids", "out_obj_ids")
_FRAME_NAMES = ("frame_names", "names")
_OBJECT_NAMES = ("object_names",)
_MOST_VALUES = 1024
_MOST_OBJECTS = 255
_MOST_FRAMES = 10**6
_BAND = 2**20  # pixels
_LARGEST = 2**53  # up to here, floats are whole numbers too
_REMEDY = (
    "Save ids as whole numbers, (H,W) or (T,H,W), or one mask per object, bool (N,H,W), with their ids: "
    "numpy.savez_compressed('masks.npz', masks=masks, obj_ids=obj_ids)."
)


class _Layout(NamedTuple):
    """How an array's pictures become masks.

    Attributes:
        frames: T.
        objects: N, each with a picture of its own in every frame; None = a picture holds the ids of a frame.
    """

    frames: int
    objects: int | None = None


def read_numpy(path: Path, options: ReadOptions) -> MaskTrack:
    """Read masks from an array.

    Arrays are whole-numbered ids (H, W) or (T, H, W), or one mask per object, (N, H, W), (N, 1, H, W) or (T, N, H, W),
    which are bool or have ``obj_ids`` (N,) beside them. An archive may also hold ``object_names`` (N,) and
    ``frame_names`` (T,).

    Args:
        path: .npy or .npz.
        options: how to read; its ``length``, ``overlap`` and ``keep_255`` count.

    Raises:
        MaskError: the file is broken, or it cannot be told what its array means.
    """
    stored = stored_arrays(path)
    name, array = _mask_array(stored, path)
    given = [int(value) for value in _listed(stored, _OBJECT_IDS, "iu")]
    frame_names = [str(value) for value in _listed(stored, _FRAME_NAMES, "U")]
    if len(set(given)) < len(given):
        raise MaskError(f"{path}: two objects have the same id.", "Give each one an id of its own.")
    values = [0, 1] if array.dtype.kind == "b" else _values(array, len(given), options.length, path)
    layout = _layout(array, values, given, path, is_ids=name == _IDS)
    named = len(frame_names) == layout.frames
    if name != _IDS and not named and not given:
        _check_unambiguous(layout, values, options.length, path)
    if layout.objects is None:
        keys = _keys(values, given, keep_255=options.keep_255)
    else:
        keys = given or list(range(1, layout.objects + 1))
    lone = keys == [IGNORE] and not given and not options.keep_255  # black and white
    ids: Mapping[Any, int] = {IGNORE: 1} if lone else object_ids(dict.fromkeys(keys), path)
    names = (
        [check_frame_name(each, path) for each in frame_names]
        if named
        else [index_name(index) for index in range(layout.frames)]
    )
    objects = _Objects(values, keys, ids, each_alone=layout.objects is not None)

    def frames() -> Iterator[MaskFrame]:
        pictures = array.pictures()
        for index, frame in enumerate(names):
            where = f"{path}, frame {frame}"
            yield MaskFrame(index, frame, objects.next_mask(pictures, where, options.overlap))

    called = dict(zip(given or keys, map(str, _listed(stored, _OBJECT_NAMES, "U")), strict=False))
    appearance = Appearance(names={ids[key]: called[key] for key in keys if called.get(key)})
    notes = tuple(f"{path}: {text}." for text in objects.notes())
    return MaskTrack(path.stem, frames, appearance, by_position=not named, notes=notes)


@dataclass(frozen=True)
class _Objects:
    """The objects of an array.

    Attributes:
        values: all values of the array, ascending.
        keys: those that are objects; or the number of each object's picture.
        ids: id of each.
        each_alone: every object has a picture of its own.
    """

    values: Sequence[int]
    keys: Sequence[int]
    ids: Mapping[Any, int]
    each_alone: bool

    def next_mask(self, pictures: Iterator[npt.NDArray[Any]], where: str, overlap: str) -> UInt8Array:
        """Return the ids (H, W) of the next frame."""
        if self.each_alone:
            shown = list(islice(pictures, len(self.keys)))
            masks = [(self.ids[key], picture != 0) for key, picture in zip(self.keys, shown, strict=True)]
            height, width = shown[0].shape
            return merge_objects(masks, (height, width), where, overlap)
        meanings: UInt8Array = np.array([self.ids.get(value, 0) for value in self.values], np.uint8)
        values = np.array(self.values, np.int64)
        picture = next(pictures)
        ids = np.empty(picture.shape, np.uint8)
        for rows in _bands(picture):
            ids[rows] = meanings[np.searchsorted(values, picture[rows].astype(np.int64))]
        return ids

    def notes(self) -> Iterator[str]:
        """Yield what a user should know about them."""
        if not self.each_alone and IGNORE in self.values and IGNORE not in self.keys:
            yield UNKNOWN_NOTE
        changed = [f"{key} is object {self.ids[key]}" for key in self.keys if self.ids[key] != key]
        if changed and list(self.keys) != [IGNORE]:
            yield f"ids that a mask cannot hold were renumbered: {', '.join(changed)}"


def _mask_array(stored: Mapping[str, StoredArray], path: Path) -> tuple[str, StoredArray]:
    """Return the array of the masks and its name."""
    if "probabilities" in stored:
        raise MaskError(
            f"{path} holds the probabilities of one frame.",
            "Give the masks of that run instead: the folder of PNGs beside this file's folder.",
        )
    pictures = [name for name, array in stored.items() if len(array.shape) >= 2]
    name = next((name for name in _MASKS if name in pictures), pictures[0] if len(pictures) == 1 else None)
    if name is None:
        found = ", ".join(f"{each or 'one array'} {array.shape}" for each, array in stored.items()) or "nothing"
        raise MaskError(f"{path} holds {found}; expected one array of masks, named masks or ids.", _REMEDY)
    array = stored[name]
    if name != _IDS and len(array.shape) > 2 and array.shape[-1] == 1:  # (H, W, 1)
        array = replace(array, shape=array.shape[:-1])
    if array.dtype.kind not in "buif" or 0 in array.shape or math.prod(array.shape[:-2]) > _MOST_FRAMES:
        raise MaskError(f"{path}: the masks are {array.dtype} of the shape {array.shape}.", _REMEDY)
    return name, array


def _listed(stored: Mapping[str, StoredArray], names: Sequence[str], kinds: str) -> Sequence[Any]:
    """Return the values of the first of these arrays that the file holds; empty if it holds none."""
    found = next((stored[name] for name in names if name in stored), None)
    if found is None or found.dtype.kind not in kinds:
        return ()
    flat: Sequence[Any] = found.whole().ravel().tolist()
    return flat


def _values(array: StoredArray, objects: int, length: int | None, path: Path) -> list[int]:
    """Return all values of an array of numbers, ascending, 0 among them.

    Raises:
        MaskError: there are more pictures than the video can have, numbers that are not whole or are negative, or more
            values than there can be objects.
    """
    count = math.prod(array.shape[:-2])
    if length is not None and count > length * max(objects, 1):
        raise MaskError(
            f"{path} holds masks of {counted(count, 'frame')}, but the video has {counted(length, 'frame')}.",
            "Check that these are the masks of this video.",
        )
    found = {0}
    for picture in (whole[rows] for whole in array.pictures() for rows in _bands(whole)):
        if array.dtype.kind == "f" and not (np.isfinite(picture).all() and (picture == np.rint(picture)).all()):
            raise MaskError(
                f"{path} holds {array.dtype} numbers that are not whole.",
                f"Save logits > 0 or probabilities > 0.5 instead. {_REMEDY}",
            )
        values = np.unique(picture)
        found |= {int(value) for value in (*values[:_MOST_VALUES], values[-1])}
        if min(found) < 0 or max(found) > _LARGEST or len(found) >= _MOST_VALUES:
            what = f"numbers from {min(found)} to {max(found)}, at least {len(found)} different ones"
            raise MaskError(f"{path} holds {what}; expected ids of up to 255 objects, 0 for background.", _REMEDY)
    return sorted(found)


def _bands(picture: npt.NDArray[Any]) -> Iterator[slice]:
    """Yield the rows of a picture (H, W) some at a time, since what is computed of them takes several times as much."""
    height, width = picture.shape
    step = max(1, _BAND // width)
    yield from (slice(top, top + step) for top in range(0, height, step))


def _layout(array: StoredArray, values: Sequence[int], given: Sequence[int], path: Path, *, is_ids: bool) -> _Layout:
    """Return how the pictures become masks: by the shape, and by the list of object ids if there is one."""
    before = array.shape[:-2]
    sides = [side for side in before if side != 1]
    count, objects = math.prod(before), len(given)
    binary = set(values) <= {0, 1} or set(values) <= {0, IGNORE}
    if given and binary and not is_ids:
        if count == objects:
            return _Layout(1, objects)
        if (objects == 1 and len(sides) == 1) or (len(sides) == 2 and sides[1] == objects):
            return _Layout(count // objects, objects)
    if len(sides) <= 1 and (array.dtype.kind != "b" or count == 1 or is_ids):
        return _Layout(count)
    if len(sides) == 1 and not given and count <= _MOST_OBJECTS:
        return _Layout(1, count)
    beside = f" beside {counted(objects, 'object id')}" if given else ""
    raise MaskError(f"{path}: it cannot be told what masks of the shape {array.shape}{beside} are.", _REMEDY)


def _check_unambiguous(layout: _Layout, values: Sequence[int], length: int | None, path: Path) -> None:
    """Refuse a stack of black-and-white pictures that may be frames as well as objects.

    Whole numbers are taken for frames, bools for objects, unless the length of the video speaks against it.
    """
    count = layout.objects or layout.frames
    binary = len(values) == 2 and values[1] in (1, IGNORE)
    if count == 1 or length is None or not binary or (layout.objects is None) == (count == length):
        return
    raise MaskError(
        f"{path} holds {count} black-and-white pictures, which may be {counted(count, 'object')} of the first frame or "
        f"one object in {counted(count, 'frame')}; the video has {counted(length, 'frame')}.",
        f"Say which by giving them as whole-numbered ids named 'ids', or as masks with obj_ids. {_REMEDY}",
    )


def _keys(values: Sequence[int], given: Sequence[int], *, keep_255: bool) -> list[int]:
    """Return the values that are objects: 255 beside others marks unknown pixels, unless it is listed as an object."""
    shown = [value for value in values if value]
    unknown = not keep_255 and IGNORE in shown and IGNORE not in given and not marks_one_given_object(shown)
    return [value for value in shown if not (unknown and value == IGNORE)]
