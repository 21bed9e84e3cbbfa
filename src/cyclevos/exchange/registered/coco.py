"""`coco`: COCO JSON with tracks, and recognition of JSON files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.exchange.tools.coco_writer import CocoWriter

    return CocoWriter(destination.path, destination.title, destination.appearance, resume=destination.resume)


def _first_missing(path: Path, names: Sequence[str]) -> str | None:
    from cyclevos.exchange.tools.coco_writer import first_missing

    return first_missing(path, names)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.coco_json import read_json

    return read_json(path, options)


def _detects(given: Candidate) -> bool:
    return not given.is_folder and ("images" in given.keys or "videos" in given.keys)


FORMAT = Format(
    name="coco",
    label="COCO JSON",
    summary="images and annotations with tracks in one file, for training detectors",
    file="annotations.json",
    room=Room(frame_names=True, object_names=True, colours=True, notes={"colours": "in `info.palette`"}),
    writer=_writer,
    read=_read,
    detects=_detects,
    first_missing=_first_missing,
)
