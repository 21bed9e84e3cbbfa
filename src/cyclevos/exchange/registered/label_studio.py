"""`label-studio`: tasks with brush strokes as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.tools.label_studio_writer import write_label_studio

    write_label_studio(track, path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.label_studio_json import read_label_studio

    return read_label_studio(path, options)


def _detects(given: Candidate) -> bool:
    if given.is_folder:
        return False
    tasks = given.json if isinstance(given.json, list) else [given.keys]
    return any(_is_task(each) for each in tasks[:100])  # the first ones may have been skipped


def _is_task(content: Any) -> bool:
    if not isinstance(content, Mapping):
        return False
    if "data" in content or "task" in content:
        return bool({"annotations", "predictions", "result"} & content.keys())
    regions = [value[0] for value in content.values() if isinstance(value, list) and value]
    return any(isinstance(each, Mapping) and "original_width" in each for each in regions)  # JSON-MIN


FORMAT = Format(
    name="label-studio",
    label="Label Studio JSON",
    summary="tasks with brush strokes, to import and review in Label Studio",
    file="label_studio.json",
    room=Room(frame_names=True, object_names=True, colours=False),
    write=_write,
    read=_read,
    detects=_detects,
)
