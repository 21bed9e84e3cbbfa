"""`masks`: a folder of indexed PNGs, one per frame."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.writers import MaskWriter

    return MaskWriter(destination.path, destination.appearance)


def _read(path: Path, _: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.folders import read_indexed

    return read_indexed(path)


def _detects(given: Candidate) -> bool:
    return given.is_folder and bool(given.ending(".png"))


FORMAT = Format(
    name="masks",
    label="Masks",
    summary="one indexed PNG per frame, pixel = object id, as in DAVIS and YouTube-VOS",
    file="",
    is_folder=True,
    room=Room(frame_names=True, object_names=False, colours=True),
    writer=_writer,
    read=_read,
    detects=_detects,
    aliases=("indexed",),
    preselected=True,
)
