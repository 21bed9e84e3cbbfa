"""Writing labelme JSON: a file per frame, with an outline for each piece of an object."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cyclevos.exchange.contents.outlines import outlines
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.files.atomic import output_errors, replacing
from cyclevos.naming import list_files

_VERSION = "5.5.0"  # of labelme, whose layout this is
_HEAD = b'{\n "version": '  # labelme indents by two spaces


def write_labelme(track: MaskTrack, folder: Path) -> None:
    """Write `<frame name>.json` per frame, for labelme to open beside the frame.

    The object's id is the `group_id` of its pieces; its name, or "object", their label.

    Args:
        track: the masks.
        folder: output folder; created if needed.

    Raises:
        OutputError: the system refuses to write.
    """
    for frame in track.frames():
        with replacing(folder / f"{frame.name}.json") as temporary:
            text = json.dumps(_content(frame, track), ensure_ascii=False, indent=1)
            temporary.write_text(text + "\n", encoding="utf-8", newline="\n")


def remove_labelme(folder: Path) -> None:
    """Delete the JSON files that :func:`write_labelme` wrote into a folder; what labelme saved, and all else, stays.

    Raises:
        OutputError: the system refuses to delete.
    """
    with output_errors(folder):
        for file in list_files(folder, ".json") if folder.is_dir() else ():
            with file.open("rb") as opened:
                is_ours = opened.read(len(_HEAD)) == _HEAD
            if is_ours:
                file.unlink()


def _content(frame: MaskFrame, track: MaskTrack) -> dict[str, Any]:
    height, width = frame.ids.shape
    return {
        "version": _VERSION,
        "flags": {},
        "shapes": [
            {
                "label": track.object_names.get(object_id, "object"),
                "points": [[float(x), float(y)] for x, y in outline],
                "group_id": object_id,
                "description": "",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
            for object_id in frame.object_ids
            for outline in outlines(frame.ids == object_id)
        ],
        "imagePath": f"{frame.name}.png",
        "imageData": None,
        "imageHeight": height,
        "imageWidth": width,
    }
