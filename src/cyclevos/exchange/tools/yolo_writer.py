"""Masks as a YOLO data set for segmentation: `labels/<frame name>.txt` and `data.yaml`; the pictures are the user's."""

from __future__ import annotations

from pathlib import Path

import yaml

from cyclevos.exchange.contents.outlines import outline
from cyclevos.exchange.contents.shapes import BoolArray
from cyclevos.exchange.tools.yolo_classes import DATA_FILE, OWN
from cyclevos.exchange.track import MaskTrack, size_of_all
from cyclevos.files.atomic import output_errors, replacing

# Shapes: H height, W width.

_LABELS = "labels"


def write_yolo(track: MaskTrack, folder: Path) -> None:
    """Write one text file per frame. Every object is a class, because YOLO's labels know no objects.

    Args:
        track: the masks; they are read twice.
        folder: output folder; created if needed.

    Raises:
        MaskError: frames differ in size, or a mask cannot be read.
        OutputError: the system refuses to write.
    """
    ids: set[int] = set()
    size: tuple[int, int] | None = None
    for frame in track.frames():
        size = size_of_all(frame, size, "a data set of YOLO that keeps every pixel")
        ids |= set(frame.object_ids)
    classes = {object_id: kind for kind, object_id in enumerate(sorted(ids))}
    for frame in track.frames():
        shown = [object_id for object_id in classes if (frame.ids == object_id).any()]
        lines = [f"{classes[object_id]} {_shares(frame.ids == object_id)}\n" for object_id in shown]
        with replacing(folder / _LABELS / f"{frame.name}.txt") as temporary:
            temporary.write_text("".join(lines), encoding="ascii", newline="\n")
    height, width = size or (1, 1)
    content = {
        "path": ".",
        "train": "images",
        "val": "images",
        "names": {kind: track.appearance.name(object_id) for object_id, kind in classes.items()},
        OWN: {"object_ids": list(classes), "height": height, "width": width, "video": track.name},
    }
    with replacing(folder / DATA_FILE) as temporary:
        text = yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
        temporary.write_text(text, encoding="utf-8", newline="\n")


def remove_yolo(folder: Path) -> None:
    """Delete what :func:`write_yolo` wrote into a folder; anything else stays.

    Raises:
        OutputError: the system refuses to delete.
    """
    data = folder / DATA_FILE
    with output_errors(folder):
        if not data.is_file() or f"\n{OWN}:" not in data.read_text(encoding="utf-8", errors="replace"):
            return
        for file in (folder / _LABELS).glob("*.txt"):
            file.unlink()
        if (folder / _LABELS).is_dir() and not any((folder / _LABELS).iterdir()):
            (folder / _LABELS).rmdir()
        data.unlink()


def _shares(mask: BoolArray) -> str:
    """Write the corners of an object's outline as shares of width and height, exact enough for every pixel."""
    height, width = mask.shape
    return " ".join(f"{x / width:.9g} {y / height:.9g}" for x, y in outline(mask))
