"""`boxes`: a small format of text lines, as somebody might add one; the registry's tests do."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.track import MaskTrack


def _write(track: MaskTrack, path: Path) -> None:
    import numpy as np

    lines = []
    for frame in track.frames():
        height, width = frame.ids.shape
        for object_id in (int(i) for i in np.unique(frame.ids) if i):
            rows, columns = np.nonzero(frame.ids == object_id)
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            lines.append(f"{frame.name} {height} {width} {object_id} {' '.join(map(str, box))}\n")
    path.write_text("".join(lines), encoding="utf-8")


def _read(path: Path, _: ReadOptions) -> MaskTrack:
    import numpy as np

    from cyclevos.exchange.track import MaskFrame, MaskTrack

    def frames() -> Iterator[MaskFrame]:
        for index, line in enumerate(path.read_text(encoding="utf-8").splitlines()):
            name, *numbers = line.split()
            height, width, object_id, left, top, right, bottom = map(int, numbers)
            ids = np.zeros((height, width), np.uint8)
            ids[top:bottom, left:right] = object_id
            yield MaskFrame(index, name, ids)

    return MaskTrack(path.stem, frames)


FORMAT = Format(
    name="boxes",
    label="Boxes",
    summary="one box per object and frame",
    file="masks.boxes",
    room=Room(frame_names=True, object_names=False, colours=False, empty_frames="not last"),
    write=_write,
    read=_read,
    detects=lambda given: given.path.suffix == ".boxes",
)
