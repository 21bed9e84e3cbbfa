"""`supervisely`: one JSON file per picture, or one per video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.candidate import Candidate
from cyclevos.exchange.format import Format, ReadOptions

if TYPE_CHECKING:
    from cyclevos.exchange.track import MaskTrack


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.supervisely_json import read_supervisely

    return read_supervisely(path, options)


def _detects(given: Candidate) -> bool:
    from cyclevos.exchange.tools.supervisely_json import annotation_folder, is_supervisely

    inner = annotation_folder(given.path)
    return is_supervisely((given if inner == given.path else Candidate(inner)).keys)


FORMAT = Format(
    name="supervisely",
    label="Supervisely JSON",
    summary="one JSON file per picture or video with bitmaps and polygons, as Supervisely exports it",
    file="supervisely",
    is_folder=True,
    reads="either",
    read=_read,
    detects=_detects,
)
