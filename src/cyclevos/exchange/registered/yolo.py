"""`yolo`: text labels for segmentation with a description of the data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.candidate import Candidate
from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.track import MaskTrack

_ASKED = 20  # files; pictures without an object have empty ones


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.tools.yolo_writer import write_yolo

    write_yolo(track, path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.yolo import read_yolo

    return read_yolo(path, options)


def _detects(given: Candidate) -> bool:
    from cyclevos.exchange.tools.yolo import is_yolo, label_files

    if not given.is_folder:
        return given.path.suffix.lower() == ".txt" and is_yolo(given.head)
    heads = [head for head in (Candidate(file).head for file in label_files(given.path)[:_ASKED]) if head.strip()]
    if not heads:
        return (given.path / "labels").is_dir() and (given.path / "data.yaml").is_file()
    return all(map(is_yolo, heads))


def _remove(path: Path) -> None:
    from cyclevos.exchange.tools.yolo_writer import remove_yolo

    remove_yolo(path)


FORMAT = Format(
    name="yolo",
    label="YOLO labels",
    summary="one text file per frame with outlines, and `data.yaml`, for training YOLO",
    file="yolo",
    is_folder=True,
    reads="either",
    room=Room(frame_names=True, object_names=True, colours=False),
    write=_write,
    read=_read,
    detects=_detects,
    remove=_remove,
)
