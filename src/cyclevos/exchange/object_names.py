"""Names of objects beside masks that cannot hold them: in a run's record, and in the label map of a data set."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from cyclevos.errors import MaskError
from cyclevos.pictures.bounds import open_picture
from cyclevos.pictures.mask_files import MaskImage

RUN_FILE = "run.json"
"""Name of the record in a run's folder."""
OBJECT_NAMES = "object_names"
"""Where the record holds the names, by object id as text."""

_LABEL_MAP = "labelmap.txt"
_CLASSES = "SegmentationClass"
_BACKGROUND = (0, 0, 0)
_BORDER = (224, 224, 192)  # between objects in masks of PASCAL VOC: unknown pixels


def recorded_names(folder: Path) -> dict[int, str]:
    """Return the names in the record of the run whose masks a folder holds; empty if there are none."""
    try:
        record = json.loads((folder / RUN_FILE).read_bytes())
        return {int(object_id): str(name) for object_id, name in record[OBJECT_NAMES].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}  # the masks are whole without it


def class_masks(path: Path) -> Path:
    """Return the folder of class masks in a data set of PASCAL VOC's layout, as CVAT exports it; else the path."""
    return path / _CLASSES if (path / _LABEL_MAP).is_file() and (path / _CLASSES).is_dir() else path


def label_map(path: Path) -> LabelMap | None:
    """Return the label map of a class mask or of a folder of them; None if there is none.

    Raises:
        MaskError: it is broken, or holds too many labels.
    """
    folder = path if path.is_dir() else path.parent
    file = folder.parent / _LABEL_MAP
    return LabelMap(file) if folder.name == _CLASSES and file.is_file() else None


class LabelMap:
    """Colours and names of classes: lines of ``name:red,green,blue:parts:actions``.

    The classes are numbered from 1 in their order; black is background.

    Args:
        file: the label map.

    Raises:
        MaskError: a line is broken, or there are more than 255 classes.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        colours: dict[tuple[int, ...], str] = {}
        try:
            for line in file.read_text(encoding="utf-8-sig").splitlines():
                if line.strip() and not line.startswith("#"):
                    name, colour = line.split(":")[:2]
                    red, green, blue = (int(value) for value in colour.split(","))
                    colours[red, green, blue] = name
        except (OSError, ValueError) as error:
            raise MaskError(
                f"{file} is not a label map ({error}); expected lines of name:red,green,blue::.",
                "Correct it, or move it away to read the masks without names.",
            ) from error
        colours.pop(_BACKGROUND, None)
        if len(colours) > 255:
            raise MaskError(f"{file} holds {len(colours)} classes; a mask can hold 255.", "Remove some of them.")
        self._colours = np.array([_BACKGROUND, *colours], dtype=np.int64)  # (classes + 1, 3)
        self.names = dict(enumerate(colours.values(), start=1))

    def read(self, path: Path) -> MaskImage:
        """Read a class mask.

        Raises:
            MaskError: it is broken, or shows a colour that the label map lacks.
        """
        try:
            with open_picture(path) as image:
                rgb = np.asarray(image.convert("RGB")).astype(np.int64)  # (H, W, 3)
        except Exception as error:  # Pillow's decoders raise almost any exception on broken data
            raise MaskError(f"{path} cannot be read as a mask ({error}).", "Export it again.") from error
        ids = np.full(rgb.shape[:2], -1)
        for number, colour in enumerate([*self._colours, np.array(_BORDER)]):
            is_border = number == len(self._colours)
            ids[(rgb == colour).all(-1) & (ids < 0)] = 0 if is_border else number
        if (ids < 0).any():
            red, green, blue = rgb[ids < 0][0]
            raise MaskError(
                f"{path} shows the colour ({red},{green},{blue}), which {self.file} lacks.",
                "Export masks and label map together.",
            )
        found = {f"{self.names[i]} ({','.join(map(str, self._colours[i]))})": int(i) for i in np.unique(ids) if i}
        return MaskImage(ids.astype(np.uint8), self._colours.astype(np.uint8).tobytes(), found)
