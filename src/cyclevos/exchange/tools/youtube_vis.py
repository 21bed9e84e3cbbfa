"""YouTube-VIS JSON out: one annotation per object with a list of masks; `coco_json` reads it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

from cyclevos.exchange.contents import run_length
from cyclevos.exchange.track import MaskTrack, size_of_all
from cyclevos.files.atomic import replacing


def write_youtube_vis(track: MaskTrack, path: Path) -> None:
    """Write masks as YouTube-VIS JSON; the codes of the whole video are held in memory.

    Args:
        track: the masks.
        path: the JSON file.

    Raises:
        MaskError: frames differ in size, or a mask cannot be read.
        OutputError: the system refuses to write.
    """
    coded = _encode(track)
    height, width = coded.size
    video = {
        "id": 1,
        "name": track.name,
        "width": width,
        "height": height,
        "length": len(coded.files),
        "file_names": coded.files,
    }
    info = {"description": "cyclevos", **({"palette": track.palette.hex()} if track.palette else {})}
    object_ids = sorted(coded.codes)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"info":{json.dumps(info)},"videos":[{json.dumps(video)}],"annotations":[')
        for number, object_id in enumerate(object_ids):
            annotation = {
                "id": object_id,
                "video_id": 1,
                "category_id": object_id,
                "iscrowd": 0,
                "width": width,
                "height": height,
                "segmentations": [coded.codes[object_id].get(position) for position in range(len(coded.files))],
            }
            file.write((",\n" if number else "\n") + json.dumps(annotation))
        categories = [{"id": k, "name": track.appearance.name(k), "supercategory": "object"} for k in object_ids]
        file.write(f'],"categories":{json.dumps(categories)}}}\n')


class _Coded(NamedTuple):
    """A video's run-length codes.

    Attributes:
        files: file names of the frames.
        size: (H, W) of every frame.
        codes: the code of each frame that shows the object, by frame position, by object id.
    """

    files: list[str]
    size: tuple[int, int]
    codes: dict[int, dict[int, dict[str, Any]]]


def _encode(track: MaskTrack) -> _Coded:
    files: list[str] = []
    codes: dict[int, dict[int, dict[str, Any]]] = {}
    size: tuple[int, int] | None = None
    for position, frame in enumerate(track.frames()):
        files.append(f"{frame.name}.png")
        size = size_of_all(frame, size, "a video of YouTube-VIS")
        for object_id in frame.object_ids:
            code = {"size": list(size), "counts": run_length.encode(frame.ids == object_id)}
            codes.setdefault(object_id, {})[position] = code
    return _Coded(files, size or (0, 0), codes)
