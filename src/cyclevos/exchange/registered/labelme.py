"""`labelme`: one JSON file per picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.labelme_json import read_labelme

    return read_labelme(path, options)


def _detects(given: Candidate) -> bool:
    return "shapes" in given.keys and "imageHeight" in given.keys


FORMAT = Format(
    name="labelme",
    label="labelme",
    summary="one JSON file per picture with polygons, as labelme saves it",
    file="labelme",
    is_folder=True,
    reads="either",
    read=_read,
    detects=_detects,
)
