"""Results as one COCO file of objects as run-length codes or polygons, with track ids.

During a run each frame is one JSON line in another file (:func:`cyclevos.files.atomic.partial_path`), so memory stays
bounded and an interrupted run keeps its frames. Closing turns the lines into the COCO file.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from cyclevos.exchange.contents.outlines import polygons
from cyclevos.files.atomic import output_errors, partial_path, replacing
from cyclevos.files.records import append_record, parse_record, whole_lines
from cyclevos.media.appearance import PLAIN, Appearance
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.frames import Frame
from cyclevos.media.writers import ResultWriter
from cyclevos.pictures.arrays import UInt8Array

_TOOL = "cyclevos"


class CocoWriter(ResultWriter):
    """COCO instances: category and track are the object id; frames without an object remain as images.

    Args:
        path: the JSON file.
        video_name: name of the one entry under "videos".
        appearance: its names become the categories' names; its palette is kept in "info", so that the file can be
            converted to indexed PNGs.
        resume: keep the frames of an interrupted run or of a finished file and skip them when they are written
            again; otherwise start over.
        outlined: masks are polygons instead of run-length codes; pycocotools draws the same pixels from them.

    Raises:
        OutputError: the system refuses to read or write.
    """

    def __init__(
        self,
        path: str | Path,
        video_name: str = "",
        appearance: Appearance = PLAIN,
        *,
        resume: bool = False,
        outlined: bool = False,
    ) -> None:
        self.path = Path(path)
        self.partial_path = partial_path(self.path)
        self._video_name = video_name
        self._appearance = appearance
        self._outlined = outlined
        palette = {} if appearance.palette is None else {"palette": appearance.palette.hex()}
        self._info = {"description": _TOOL, **palette}
        self._offsets: dict[int, int] = {}  # frame index -> start of its line in bytes
        with output_errors(self.path):
            if resume:
                self._recover()
            else:
                self.partial_path.unlink(missing_ok=True)

    @property
    def finished_frames(self) -> frozenset[int]:
        """Indices of the frames written so far."""
        return frozenset(self._offsets)

    def write(self, result: FrameResult) -> None:
        """Append one frame, unless it is already there.

        Raises:
            ValueError: the ids are not uint8 (H, W) of the frame's size.
            OutputError: the system refuses to write.
        """
        result.check_ids()
        if result.index not in self._offsets:
            self._append(_entry(result.frame, result.ids, self._outlined))

    def close(self) -> None:
        """Turn the lines into the COCO file; without any frame, nothing is changed."""
        if not self.partial_path.exists():
            return
        with replacing(self.path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            self._write_coco(file)
        with output_errors(self.path):
            self.partial_path.unlink()

    def _append(self, entry: dict[str, Any]) -> None:
        self._offsets[entry["image"]["frame_index"]] = append_record(self.partial_path, entry, flush=False)

    def _recover(self) -> None:
        """Index the lines of an interrupted run, or take over a finished file."""
        if self.partial_path.exists():
            for offset, line in whole_lines(self.partial_path):
                index = _frame_index(line)
                if index is not None:
                    self._offsets[index] = offset
        elif self.path.exists():
            for entry in _entries_of(self.path):
                self._append(entry)

    def _entries(self) -> Iterator[dict[str, Any]]:
        with self.partial_path.open("rb") as file:
            for _, offset in sorted(self._offsets.items()):
                file.seek(offset)
                yield json.loads(file.readline())

    def _write_coco(self, file: TextIO) -> None:
        object_ids: set[int] = set()
        video = {"id": 1, "name": self._video_name, "length": len(self._offsets)}
        file.write(f'{{"info":{json.dumps(self._info)},"videos":[{json.dumps(video)}],"images":[')
        for number, entry in enumerate(self._entries()):
            file.write((",\n" if number else "\n") + json.dumps(entry["image"]))
        file.write('],"annotations":[')
        number = 0
        for entry in self._entries():
            for annotation in entry["annotations"]:
                file.write((",\n" if number else "\n") + json.dumps({"id": number + 1, **annotation}))
                object_ids.add(annotation["category_id"])
                number += 1
        categories = [
            {"id": k, "name": self._appearance.name(k), "supercategory": "object"} for k in sorted(object_ids)
        ]
        file.write(f'],"categories":{json.dumps(categories)}}}\n')


def first_missing(path: Path, names: Sequence[str]) -> str | None:
    """Return the first frame that a COCO file, or what an interrupted run has left of it, does not hold.

    Args:
        path: the COCO file.
        names: names of the first frames of the video, in order.
    """
    unfinished = partial_path(path)
    try:
        if unfinished.exists():
            held = {_frame_index(line) for _, line in whole_lines(unfinished)}
        else:
            held = {entry["image"]["frame_index"] for entry in _entries_of(path)} if path.exists() else set()
    except (OSError, KeyError):
        held = set()
    return next((name for index, name in enumerate(names) if index not in held), None)


def _entry(frame: Frame, ids: UInt8Array, outlined: bool) -> dict[str, Any]:
    from pycocotools import mask

    library: Any = mask  # its functions are untyped
    height, width = frame.size
    image_id = frame.index + 1
    annotations = []
    for object_id in (int(value) for value in np.unique(ids) if value):
        packed = library.encode(np.asfortranarray(ids == object_id, dtype=np.uint8))
        code = {"size": [height, width], "counts": packed["counts"].decode("ascii")}
        annotations.append(
            {
                "image_id": image_id,
                "video_id": 1,
                "category_id": object_id,
                "track_id": object_id,
                "segmentation": polygons(ids == object_id) if outlined else code,
                "bbox": [float(value) for value in library.toBbox(packed)],
                "area": int(library.area(packed)),
                "iscrowd": 0,
            }
        )
    image = {
        "id": image_id,
        "video_id": 1,
        "frame_index": frame.index,
        "file_name": frame.path.name if frame.path else f"{frame.name}.png",
        "height": height,
        "width": width,
    }
    return {"image": image, "annotations": annotations}


def _frame_index(line: bytes) -> int | None:
    record = parse_record(line)
    try:
        return None if record is None else int(record["image"]["frame_index"])
    except (ValueError, KeyError, TypeError):
        return None


def _entries_of(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the entries of a COCO file that cyclevos wrote; any other file has none."""
    try:
        content = json.loads(path.read_bytes())
        images = {image["id"]: {"image": image, "annotations": []} for image in content["images"]}
        if content["info"]["description"] != _TOOL:
            return
        for annotation in content["annotations"]:
            annotation.pop("id")
            images[annotation["image_id"]]["annotations"].append(annotation)
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    yield from images.values()
