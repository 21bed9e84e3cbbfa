"""`sa-v`: the masklets of a video as JSON of the data set SA-V."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.tools.sam_json import write_sa_v

    write_sa_v(track, path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.sam_json import read_sa_v

    return read_sa_v(path, options)


def _detects(given: Candidate) -> bool:
    return not given.is_folder and {"masklet", "masklet_id"} <= given.keys.keys()


FORMAT = Format(
    name="sa-v",
    label="SA-V JSON",
    summary="run-length codes frame by frame, as in the data set of SAM 2",
    file="sa_v.json",
    room=Room(
        frame_names=False,
        object_names=False,
        colours=False,
        notes={"frame_names": "frame indices"},
    ),
    write=_write,
    read=_read,
    detects=_detects,
)
