"""The formats by name: how each is recognised, read and written, and what it cannot hold."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from cyclevos.errors import MaskError
from cyclevos.exchange import run_length
from cyclevos.exchange.coco_json import read_json
from cyclevos.exchange.coco_writer import CocoWriter
from cyclevos.exchange.folders import (
    blank_frame,
    object_folders,
    read_indexed,
    read_objects,
    write_indexed,
    write_objects,
)
from cyclevos.exchange.mots import read_mots, write_mots
from cyclevos.exchange.track import MaskTrack
from cyclevos.files.atomic import replacing
from cyclevos.naming import index_name, is_mask_file

Format = Literal["indexed", "objects", "coco", "youtube-vis", "mots"]
FORMATS: tuple[str, ...] = get_args(Format)
FOLDERS = ("indexed", "objects")


def detect(path: Path) -> Format:
    """Tell the format of a file or folder.

    Raises:
        MaskError: it is none of them.
    """
    if path.is_dir():
        if any(map(is_mask_file, path.iterdir())):
            return "indexed"
        if object_folders(path):
            return "objects"
        raise MaskError(f"{path} holds no PNG, nor folders of them. Expected masks in one of: {', '.join(FORMATS)}.")
    if not path.is_file():
        raise MaskError(f"{path} does not exist. Expected masks in one of: {', '.join(FORMATS)}.")
    if path.suffix.lower() == ".json":
        return "coco"  # YouTube-VIS is told from it by what the file holds
    if path.suffix.lower() == ".txt":
        return "mots"
    raise MaskError(f"{path}: expected a folder, a .json or a .txt file, or the format by --from.")


def read_track(
    path: Path,
    kind: str | None = None,
    *,
    video: str | None = None,
    length: int | None = None,
    overlap: str = "error",
) -> MaskTrack:
    """Read masks in any of the formats.

    Args:
        path: file or folder.
        kind: its format; None = as it looks.
        video: name of the video, in a JSON file that holds several.
        length: frames of the video, which MOTS text does not tell.
        overlap: who gets a pixel that two objects claim: ``first``, ``last``; ``error`` = nobody may.

    Raises:
        MaskError: it cannot be read as that.
    """
    kind = kind or detect(path)
    if (kind in FOLDERS) != path.is_dir():
        raise MaskError(f"{path} is {'a folder' if path.is_dir() else 'no folder'}; {kind} is the other.")
    if kind == "indexed":
        return read_indexed(path)
    if kind == "objects":
        return read_objects(path, overlap)
    if kind == "mots":
        return read_mots(path, length=length, overlap=overlap)
    return read_json(path, video=video, overlap=overlap)


def write_track(track: MaskTrack, kind: str, path: Path) -> list[str]:
    """Write masks in one of the formats.

    Args:
        track: the masks.
        kind: the format.
        path: file or folder to write.

    Returns:
        What the format has no place for, in words; empty where it holds everything.

    Raises:
        MaskError: the masks cannot be read.
        OutputError: the disk refuses.
    """
    if kind == "indexed":
        write_indexed(track, path)
    elif kind == "objects":
        write_objects(track, path)
    elif kind == "mots":
        write_mots(track, path)
    elif kind == "youtube-vis":
        _write_youtube_vis(track, path)
    else:
        with CocoWriter(path, track.name, track.object_names, palette=track.palette) as writer:
            for frame in track.frames():
                writer.write(blank_frame(frame), frame.ids)
    return _lost(track, kind)


def _write_youtube_vis(track: MaskTrack, path: Path) -> None:
    files: list[str] = []
    segmentations: dict[int, dict[int, dict[str, Any]]] = {}
    size = (0, 0)
    for position, frame in enumerate(track.frames()):
        files.append(f"{frame.name}.png")
        if position and frame.ids.shape != size:
            raise MaskError(f"Frame {frame.name} is {frame.ids.shape}, others are {size}: YouTube-VIS has one size.")
        size = (int(frame.ids.shape[0]), int(frame.ids.shape[1]))
        for object_id in (int(i) for i in np.unique(frame.ids) if i):
            code = {"size": list(size), "counts": run_length.encode(frame.ids == object_id)}
            segmentations.setdefault(object_id, {})[position] = code
    video = {
        "id": 1,
        "name": track.name,
        "width": size[1],
        "height": size[0],
        "length": len(files),
        "file_names": files,
    }
    info = {"description": "cyclevos", **({"palette": track.palette.hex()} if track.palette else {})}
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(f'{{"info":{json.dumps(info)},"videos":[{json.dumps(video)}],"annotations":[')
        for number, (object_id, given) in enumerate(sorted(segmentations.items())):
            annotation = {
                "id": object_id,
                "video_id": 1,
                "category_id": object_id,
                "iscrowd": 0,
                "width": size[1],
                "height": size[0],
                "segmentations": [given.get(position) for position in range(len(files))],
            }
            file.write((",\n" if number else "\n") + json.dumps(annotation))
        categories = [
            {"id": k, "name": track.object_names.get(k, f"object {k}"), "supercategory": "object"}
            for k in sorted(segmentations)
        ]
        file.write(f'],"categories":{json.dumps(categories)}}}\n')


def _lost(track: MaskTrack, kind: str) -> list[str]:
    lost = []
    if kind in ("indexed", "mots") and track.object_names:
        lost.append("the names of the objects")
    if kind in ("objects", "mots") and track.palette is not None:
        lost.append("the colours of the objects")
    if kind == "mots":
        renamed = empty = 0
        for frame in track.frames():
            renamed += frame.name != index_name(frame.index)
            empty = empty + 1 if not frame.ids.any() else 0
        lost += [f"the names of {renamed} frames"] if renamed else []
        lost += [f"{empty} empty frames at the end (give --length when it is read)"] if empty else []
    return lost
