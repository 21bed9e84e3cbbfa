"""`cvat`: CVAT's own XML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.tools.cvat_writer import write_cvat

    write_cvat(track, path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.cvat_xml import read_cvat

    return read_cvat(path, options)


def _detects(given: Candidate) -> bool:
    return not given.is_folder and b"<annotations" in given.head


FORMAT = Format(
    name="cvat",
    label="CVAT XML",
    summary="CVAT for video 1.1; CVAT for images 1.1 is read too",
    file="cvat.xml",
    room=Room(frame_names=False, object_names=True, colours=False, notes={"frame_names": "frame indices"}),
    write=_write,
    read=_read,
    detects=_detects,
)
