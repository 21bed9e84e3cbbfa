"""`via`: VGG Image Annotator's JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.via_json import read_via

    return read_via(path, options)


def _detects(given: Candidate) -> bool:
    from cyclevos.exchange.tools.via_json import is_via

    return not given.is_folder and is_via(given.keys)


FORMAT = Format(
    name="via",
    label="VGG Image Annotator",
    summary="VIA's JSON of versions 1 to 3, as annotations or as a project",
    file="via.json",
    read=_read,
    detects=_detects,
)
