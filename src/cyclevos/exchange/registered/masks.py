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


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.folders import read_indexed

    return read_indexed(path, keep_255=options.keep_255)


def _detects(given: Candidate) -> bool:
    from cyclevos.naming import is_picture_file, list_given_masks

    if not given.is_folder:
        return is_picture_file(given.path)
    found = list_given_masks(given.path)
    return bool(found) and found[0].suffix.lower() not in (".jpg", ".jpeg")  # a folder of those is one of frames


FORMAT = Format(
    name="masks",
    label="Masks",
    summary="one indexed PNG per frame, pixel = object id, as in DAVIS and YouTube-VOS",
    file="",
    is_folder=True,
    reads="either",
    room=Room(frame_names=True, object_names=False, colours=True),
    writer=_writer,
    read=_read,
    detects=_detects,
    detected_last=True,
    aliases=("indexed",),
    preselected=True,
    purpose="results",
)
