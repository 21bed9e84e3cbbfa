"""`mots`: KITTI MOTS text, and recognition of text files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.tools.mots import write_mots

    write_mots(track, path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.mots import read_mots

    return read_mots(path, length=options.length, overlap=options.overlap)


def _detects(given: Candidate) -> bool:
    from cyclevos.exchange.tools.mots import is_mots

    return not given.is_folder and given.path.suffix.lower() == ".txt" and is_mots(given.head)


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
