"""`objects`: a folder of black-and-white PNGs per object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.exchange.tools.folders import ObjectWriter

    return ObjectWriter(destination.path, destination.appearance.names)


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.tools.folders import write_objects

    write_objects(track, path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.folders import read_objects

    return read_objects(path, options.overlap)


def _detects(given: Candidate) -> bool:
    from cyclevos.exchange.tools.folders import object_folders

    return given.is_folder and bool(object_folders(given.path))


def _remove(path: Path) -> None:
    from cyclevos.exchange.tools.folders import remove_objects

    remove_objects(path)


FORMAT = Format(
    name="objects",
    label="One folder per object",
    summary="black-and-white PNGs (0 and 255), one folder per object, for compositing",
    file="objects",
    is_folder=True,
    room=Room(frame_names=True, object_names=True, colours=False, empty_frames="not alone"),
    writer=_writer,
    write=_write,
    read=_read,
    detects=_detects,
    detected_last=True,
    remove=_remove,
    needs_object_names=True,
    purpose="editing",
)
