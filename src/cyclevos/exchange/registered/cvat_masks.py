"""`cvat-masks`: CVAT's segmentation masks, in PASCAL VOC's layout."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack


def _write(track: MaskTrack, path: Path) -> None:
    from cyclevos.exchange.tools.class_masks import write_class_masks

    write_class_masks(track, path)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.class_masks import read_data_set

    return read_data_set(path, options)


def _detects(given: Candidate) -> bool:
    from cyclevos.exchange.tools.class_masks import class_folder

    if given.is_folder:
        return class_folder(given.path) is not None
    return given.head.startswith(b"PK\x03\x04") and b"labelmap.txt" in given.head[:80]


FORMAT = Format(
    name="cvat-masks",
    label="CVAT segmentation masks",
    summary="segmentation mask 1.1: PASCAL VOC's folders with a label map, in one ZIP file",
    file="cvat_masks.zip",
    reads="either",
    room=Room(frame_names=True, object_names=True, colours=False),
    write=_write,
    read=_read,
    detects=_detects,
)
