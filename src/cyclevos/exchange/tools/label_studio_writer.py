"""Masks as tasks that Label Studio imports: pictures with brush strokes, as predictions to be reviewed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cyclevos.exchange.tools.label_studio_code import encoded
from cyclevos.exchange.track import MaskFrame, MaskTrack
from cyclevos.files.atomic import replacing
from cyclevos.media.appearance import Appearance

_PICTURES = "/data/local-files/?d="  # where Label Studio serves files of its own machine


def write_label_studio(track: MaskTrack, path: Path) -> None:
    """Write tasks for the labelling setup ``<Image name="image"/><BrushLabels name="tag" toName="image"/>``.

    Args:
        track: the masks.
        path: the JSON file.

    Raises:
        MaskError: a mask cannot be read.
        OutputError: the system refuses to write.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write("[")
        for number, frame in enumerate(track.frames()):
            file.write((",\n" if number else "\n") + json.dumps(_task(frame, track.appearance), ensure_ascii=False))
        file.write("\n]\n")


def _task(frame: MaskFrame, appearance: Appearance) -> dict[str, Any]:
    height, width = frame.ids.shape
    regions = [
        {
            "id": f"{frame.name}-{object_id}",
            "from_name": "tag",
            "to_name": "image",
            "type": "brushlabels",
            "original_width": width,
            "original_height": height,
            "image_rotation": 0,
            "value": {
                "format": "rle",
                "rle": encoded(frame.ids == object_id),
                "brushlabels": [appearance.name(object_id)],
            },
            "meta": {"text": [f"object {object_id}"]},
        }
        for object_id in frame.object_ids
    ]
    picture = _PICTURES + quote(f"{frame.name}.png")
    return {"data": {"image": picture}, "predictions": [{"model_version": "cyclevos", "result": regions}]}
