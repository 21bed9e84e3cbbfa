"""What stands beside YOLO's labels: the names of the classes, and what we add to write masks without loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cyclevos.errors import MaskError
from cyclevos.exchange.contents.text_files import read_text_file

OWN = "cyclevos"
"""Member of data.yaml that other programs leave alone: ids of the objects by class, size of the frames, the video."""
DATA_FILE = "data.yaml"
CLASS_FILES = ("classes.txt", "obj.names", "labels.txt")
"""Lists of classes, a line each."""

_DATA_FILES = (DATA_FILE, "data.yml", "dataset.yaml")
_LEVELS = 3  # the folder of the labels, and those above it where data sets have these files
_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Classes:
    """The classes of a data set.

    Attributes:
        names: names by class.
        object_ids: object ids by class, of a data set that we wrote; else empty.
        size: (H, W) of its frames, if we wrote it.
        video: name of the video, if we wrote it.
        has_keypoints: the labels are poses.
    """

    names: Mapping[int, str] = field(default_factory=dict)
    object_ids: Sequence[int] = ()
    size: tuple[int, int] | None = None
    video: str = ""
    has_keypoints: bool = False

    def object_id(self, kind: int) -> int | None:
        """Return the id of the object that is a class of its own; None where that is not known."""
        return self.object_ids[kind] if kind < len(self.object_ids) else None


def read_classes(folder: Path) -> Classes:
    """Return the classes of the labels in a folder: from `data.yaml` or a list, there or above; else none.

    Raises:
        MaskError: the file is broken.
    """
    for place in (folder, *folder.absolute().parents)[:_LEVELS]:
        for name in _DATA_FILES:
            if (place / name).is_file():
                return _from_data(place / name)
        for name in CLASS_FILES:
            if (place / name).is_file():
                lines = _text(place / name).splitlines()
                return Classes(dict(enumerate(line.strip() for line in lines if line.strip())))
    return Classes()


def _from_data(file: Path) -> Classes:
    import yaml

    text = _text(file)
    try:
        content = yaml.safe_load(text)
        if not isinstance(content, dict):
            raise ValueError(f"it is a {type(content).__name__}, not a mapping")
        own = content.get(OWN) or {}
        size = (int(own["height"]), int(own["width"])) if "height" in own else None
        ids = [int(value) for value in own.get("object_ids", ())]
        video = str(own.get("video", ""))
        return Classes(_names(content.get("names")), ids, size, video, "kpt_shape" in content)
    except (yaml.YAMLError, ValueError, TypeError, AttributeError, KeyError, RecursionError, OverflowError) as error:
        raise MaskError(
            f"{file} cannot be read as the description of a YOLO data set ({error}).",
            "Correct it, or move it away to read the labels without names.",
        ) from error


def _names(content: Any) -> dict[int, str]:
    if isinstance(content, Mapping):
        return {int(kind): str(name) for kind, name in content.items()}
    return {kind: str(name) for kind, name in enumerate(content or ())}


def _text(file: Path) -> str:
    return read_text_file(file, "names of classes", "Correct it or move it away.", most=_MAX_BYTES)
