"""What a person gives frame by frame: masks of any kind read as ids, names of objects, and the frame given last."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cyclevos.errors import MaskError
from cyclevos.exchange.given.mask_reader import MaskReader, is_whole
from cyclevos.exchange.given.python_masks import decided_255
from cyclevos.media.appearance import Appearance
from cyclevos.words import objects_text

# Shapes: H W pixels of the source.

_IDS, _INDEX, _NAMES = "given_ids", "given_index", "given_names"  # in a snapshot


class Annotations:
    """Reads the masks that a person gives one after the other, and remembers those of the frame given last."""

    def __init__(self) -> None:
        self._reader = MaskReader()
        self._last: tuple[int, NDArray[np.uint8]] | None = None

    @property
    def appearance(self) -> Appearance:
        """Colours and names of the objects given so far."""
        return self._reader.appearance

    def read(self, annotation: Any, index: int, known: tuple[int, ...]) -> NDArray[np.uint8]:
        """Read a frame's annotation as ids (H,W).

        A mask of 0 and 255 alone shows object 1, unless 255 is known as an object.

        Args:
            annotation: see :meth:`cyclevos.exchange.given.mask_reader.MaskReader.read`.
            index: of the frame.
            known: ids of the objects that are known already.

        Raises:
            MaskError: it is no mask.
        """
        self._reader.see(known)
        read = self._reader.read(annotation, index)
        if 255 in known:
            return read.ids
        return decided_255([read], from_files=self._reader.has_files)[0].ids

    def add(self, index: int, object_id: int | str, mask: Any, known: tuple[int, ...]) -> NDArray[np.uint8]:
        """Return a frame's annotation with one more object, or with another mask of an object.

        The masks that the same frame was given last stay, but for the pixels that the new one takes.

        Args:
            index: of the frame.
            object_id: id or name of the object.
            mask: of the object alone, of any kind that :meth:`read` takes, without names.
            known: ids of the objects that are known already.

        Raises:
            MaskError: it is not a mask of one object, or the id is not from 1 to 255.
        """
        self._reader.see(known)
        own = self._reader.one_object(mask, f"The mask of object {object_id!r} in frame {index!r}")
        if not own.any():
            raise MaskError(
                f"The mask of object {object_id!r} in frame {index!r} has no pixel; expected at least one.",
                "Give its pixels, or use remove_object to end the object.",
            )
        number = self._reader.number(object_id) if isinstance(object_id, str) else _checked_id(object_id)
        ids = np.zeros(own.shape, np.uint8)
        if self._last is not None and self._last[0] == index and self._last[1].shape == own.shape:
            ids = np.where(self._last[1] == number, 0, self._last[1]).astype(np.uint8)
        ids[own] = number
        return ids

    def hold(self, index: int, ids: NDArray[np.uint8]) -> None:
        """Remember the annotation of the frame given last."""
        self._last = (index, ids) if ids.any() else self._last

    def find(self, object_id: int | str, known: tuple[int, ...]) -> int:
        """Return the id of a known object from its id or name.

        Raises:
            MaskError: no such object is known.
        """
        names = self._reader.names
        found = next((i for i in known if object_id in (i, names.get(i))), None)
        if found is None or isinstance(object_id, bool):
            shown = objects_text(known, names) if known else "no object"
            raise MaskError(f"There is no object {object_id!r}; known so far: {shown}.", "Give one of these.")
        return found

    def forget(self, object_id: int) -> None:
        """Forget an object's name and its pixels in the frame given last."""
        self._reader.forget(object_id)
        if self._last is not None:
            index, ids = self._last
            self._last = index, np.where(ids == object_id, 0, ids).astype(np.uint8)

    def snapshot(self) -> dict[str, Tensor]:
        """Return what is remembered, as tensors; nothing if nothing was given here."""
        held: dict[str, Tensor] = {}
        if self._reader.names:
            text = json.dumps(self._reader.names).encode()
            held[_NAMES] = torch.tensor(list(text), dtype=torch.uint8)
        if self._last is not None:
            held |= {_INDEX: torch.tensor(self._last[0]), _IDS: torch.from_numpy(self._last[1].copy())}
        return held

    def restore(self, snapshot: Mapping[str, Tensor]) -> None:
        """Continue from a snapshot.

        Raises:
            KeyError, ValueError: the tensors are not a snapshot.
        """
        self._reader, self._last = MaskReader(), None
        if _NAMES in snapshot:
            names = json.loads(bytes(snapshot[_NAMES].tolist()))
            self._reader.names = {int(object_id): str(name) for object_id, name in names.items()}
        if _INDEX in snapshot:
            self._last = int(snapshot[_INDEX]), snapshot[_IDS].numpy().copy()


def _checked_id(object_id: Any) -> int:
    if not is_whole(object_id) or not 1 <= object_id <= 255:
        raise MaskError(
            f"The object id is {object_id!r}; expected a number from 1 to 255, or a name.", "Number objects from 1."
        )
    return int(object_id)
