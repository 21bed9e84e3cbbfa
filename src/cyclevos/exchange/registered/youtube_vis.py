"""`youtube-vis`: YouTube-VIS JSON; read by the same reader as COCO, which tells them apart by their content."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.track import MaskTrack


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.tools.youtube_vis import write_youtube_vis

    write_youtube_vis(track, path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.coco_json import read_json

    return read_json(path, options)


FORMAT = Format(
    name="youtube-vis",
    label="YouTube-VIS JSON",
    summary="one annotation per object with a list of masks, in one file",
    file="youtube_vis.json",
    room=Room(frame_names=True, object_names=True, colours=True, notes={"colours": "in `info.palette`"}),
    write=_write,
    read=_read,
)
