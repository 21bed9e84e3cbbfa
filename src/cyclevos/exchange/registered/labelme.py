"""`labelme`: one JSON file per picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.tools.labelme_writer import write_labelme

    write_labelme(track, path)


def _remove(path: Path) -> None:
    from cyclevos.exchange.tools.labelme_writer import remove_labelme

    remove_labelme(path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.labelme_json import read_labelme

    return read_labelme(path, options)


def _detects(given: Candidate) -> bool:
    return "shapes" in given.keys and "imageHeight" in given.keys


FORMAT = Format(
    name="labelme",
    label="labelme",
    summary="one JSON file per frame with polygons, as labelme saves them",
    file="labelme",
    is_folder=True,
    reads="either",
    room=Room(frame_names=True, object_names=True, colours=False),
    write=_write,
    read=_read,
    detects=_detects,
    remove=_remove,
)
