"""Reading one mask of any kind that a Python caller has, as object ids; a name means the same object everywhere.

Shapes: N objects, H height, W width, in pixels.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.run_length import decode_code, is_code
from cyclevos.exchange.given.given_masks import read_masks
from cyclevos.exchange.given.mask_arrays import ids_of_array, merge_parts
from cyclevos.exchange.given.mask_reading import MaskReading
from cyclevos.media.appearance import Appearance
from cyclevos.media.given_images import host_array
from cyclevos.pictures import mask_notes
from cyclevos.pictures.mask_files import MaskImage, read_picture
from cyclevos.words import counted, listed, objects_text

logger = logging.getLogger(__name__)

_KINDS = (
    "object ids (H,W), bool (H,W), a stack (N,H,W) of bool, a torch tensor of these, a Pillow image, a path, a COCO "
    "run-length code, a list of masks, or a dict of names to masks"
)
_OWN_IDS = MaskReading(keep_255=True)  # what 255 means is decided for all masks of a video together


class MaskReader:
    """Reads the masks of one video; a name means the same object in all of them.

    Args:
        size: (height, width) of the frames, against which codes are held before they are decoded; None = unknown.

    Attributes:
        names: names by object id, of the objects that were given one.
        palette: colours of the first indexed picture; None if there was none.
        has_files: a mask was a picture or a file.
    """

    def __init__(self, size: tuple[int, int] | None = None) -> None:
        self._size = size
        self._seen: set[int] = set()
        self.names: dict[int, str] = {}
        self.palette: bytes | None = None
        self.has_files = False

    @property
    def appearance(self) -> Appearance:
        """Colours and names of the objects read so far."""
        return Appearance(self.palette, dict(self.names))

    def read(self, mask: Any, index: int = 0) -> MaskImage:
        """Read the mask of one frame; 255 stays 255.

        Args:
            mask: ids (H,W), integers 0..255; bool, or floats that are 0 or 1, (H,W), one object; a stack of them
                (N,H,W) or a list, objects 1..N, which must not overlap; a torch tensor of any of these, on any device;
                a Pillow image or the path of a mask file; a COCO run-length code or a list of them; or a dict of names,
                or of ids, to masks of one object.
            index: of its frame, for errors.

        Raises:
            MaskError: it is nothing of this kind, or objects overlap.
        """
        where = f"The mask of frame {index!r}"
        if isinstance(mask, Mapping) and not is_code(mask):
            read = self._named(mask, where)
        elif isinstance(mask, list | tuple) and any(_is_mask(each) for each in mask):
            parts = {number: self.one_object(each, f"{where}, object {number}") for number, each in enumerate(mask, 1)}
            read = MaskImage(merge_parts(parts, where))
        else:
            read = self._image(mask, where)
        if not isinstance(mask, MaskImage | Image.Image | str | os.PathLike):  # of those it is said where they are read
            _say(read, where)
        self._seen.update(read.object_ids)
        self.palette = self.palette or read.palette
        return read

    def one_object(self, mask: Any, where: str) -> npt.NDArray[np.bool_]:
        """Read a mask of one object, whatever its id in the mask is.

        Args:
            mask: of a kind that :meth:`read` accepts, without names.
            where: what it is, for errors.

        Returns:
            bool (H,W).

        Raises:
            MaskError: it is no mask, or shows several objects.
        """
        read = self._image(mask, where)
        if len(read.object_ids) > 1:
            raise MaskError(
                f"{where} shows {objects_text(read.object_ids)}; expected a mask of one object.",
                "Give a mask for each object, or one mask of ids without names.",
            )
        return read.ids > 0

    def number(self, name: str) -> int:
        """Return the id of a name; a new name gets the lowest id that no object has.

        Raises:
            MaskError: there are 255 objects already.
        """
        known = next((object_id for object_id, other in self.names.items() if other == name), None)
        if known is not None:
            return known
        taken = self._seen | set(self.names)
        free = next((object_id for object_id in range(1, 256) if object_id not in taken), None)
        if free is None:
            raise MaskError(f"There is no id left for {name!r}; expected at most 255 objects.", "Leave some out.")
        self.names[free] = name
        return free

    def forget(self, object_id: int) -> None:
        """Forget an object's name; its id is not given to another name."""
        self.names.pop(object_id, None)
        self._seen.add(object_id)

    def see(self, object_ids: tuple[int, ...]) -> None:
        """Take note of ids that objects have already, so that no new name gets one of them."""
        self._seen.update(object_ids)

    def _named(self, masks: Mapping[Any, Any], where: str) -> MaskImage:
        """Read masks of one object each, by name or by id."""
        names = all(isinstance(key, str) and key for key in masks)
        if not masks or not (names or all(is_whole(key) and 1 <= key <= 255 for key in masks)):
            found = f"a dict with the keys {listed([repr(key) for key in masks], most=3)}" if masks else "an empty dict"
            raise MaskError(
                f"{where} is {found}; expected the names of objects, or their ids from 1 to 255, with their masks.",
                'Write {0: {"car": mask, "box": mask}}: frame indices outside, names or ids inside.',
            )
        parts = {
            self.number(key) if isinstance(key, str) else int(key): self.one_object(each, f"{where}, object {key!r}")
            for key, each in masks.items()
        }
        return MaskImage(merge_parts(parts, where, self.names))

    def _image(self, mask: Any, where: str) -> MaskImage:
        """Read a mask without names."""
        if isinstance(mask, MaskImage):
            return mask
        if mask is None:
            raise MaskError(
                f"{where} is None; expected {_KINDS}.",
                "Check that its file exists: OpenCV's readers return None where reading fails. Leave frames without a "
                "mask out.",
            )
        if isinstance(mask, str | os.PathLike):
            return self._file(Path(mask), where)
        if isinstance(mask, Image.Image) and mask.mode != "F":  # which is no picture but an array of floats
            self.has_files = True
            read = read_picture(mask, where)
            _say(read, where)
            return read
        if is_code(mask):
            return MaskImage(decode_code(mask, where, self._size).astype(np.uint8))
        array = host_array(mask)
        if array is None:
            raise MaskError(f"{where} is {type(mask).__name__}; expected {_KINDS}.", "Convert it to a NumPy array.")
        return MaskImage(ids_of_array(array, where))

    def _file(self, path: Path, where: str) -> MaskImage:
        """Read the file of one frame's mask, in any format that ``--masks`` takes."""
        self.has_files = True
        given = read_masks(path, [path.stem], is_settled=True, fit_to=self._size, reading=_OWN_IDS)
        if len(given) != 1:
            raise MaskError(
                f"{where}: {path} holds {counted(len(given), 'mask')}; expected one.", "Give the path alone."
            )
        (read,) = given.values()
        shown = read.object_ids
        if not given.names or not set(shown) <= set(given.names):
            return read
        table = np.zeros(256, np.uint8)
        for object_id in shown:
            table[object_id] = self.number(given.names[object_id])
        return replace(read, ids=table[read.ids])


def is_whole(value: object) -> bool:
    """Return whether a value is an integer, and not a bool."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def _say(mask: MaskImage, where: str) -> None:
    """Warn of what a user should know about a mask."""
    for text in mask_notes.texts(mask):
        logger.warning("%s: %s.", where, text)


def _is_mask(value: Any) -> bool:
    """Return whether an item of a list is a mask, and not a row of numbers."""
    return not isinstance(value, list | tuple | int | float | np.generic)
