"""`objects-flat`: a folder of black-and-white PNGs, one per object of one picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.flat_objects import read_flat

    return read_flat(path, options)


def _detects(given: Candidate) -> bool:
    from cyclevos.exchange.tools.flat_objects import looks_flat

    return given.is_folder and bool(given.ending(".png")) and looks_flat(given.path)


FORMAT = Format(
    name="objects-flat",
    label="One PNG per object",
    summary="black-and-white PNGs of one picture, one per object, as Label Studio exports them too",
    file="objects_flat",
    is_folder=True,
    read=_read,
    detects=_detects,
)
