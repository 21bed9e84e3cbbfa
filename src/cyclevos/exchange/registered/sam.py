"""`sam`: the masks of one picture as JSON of SAM and SA-1B."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.sam_json import read_sam

    return read_sam(path, options)


def _detects(given: Candidate) -> bool:
    if "image" in given.keys:
        return isinstance(given.keys["image"], dict) and "annotations" in given.keys
    record = given.first_record
    return "segmentation" in record or {"size", "counts"} <= record.keys()


FORMAT = Format(
    name="sam",
    label="SAM JSON",
    summary="run-length codes of one picture, as SA-1B and SAM's mask generator have them",
    file="sam",
    is_folder=True,
    reads="either",
    read=_read,
    detects=_detects,
)
