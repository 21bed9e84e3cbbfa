"""`mots`: KITTI MOTS text, and recognition of text files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.track import MaskTrack


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.mots import write_mots

    write_mots(track, path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.mots import read_mots

    return read_mots(path, length=options.length, overlap=options.overlap)


def _detects(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() == ".txt"


FORMAT = Format(
    name="mots",
    label="MOTS text",
    summary="KITTI MOTS text lines: frame, id, class, height, width, code",
    file="mots.txt",
    room=Room(
        frame_names=False,
        object_names=False,
        colours=False,
        empty_frames="not last",
        notes={"frame_names": "frame indices"},
    ),
    write=_write,
    read=_read,
    detects=_detects,
)
