"""`npz`: all masks as one NumPy array, with frame names and times."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format, ReadOptions, Room

if TYPE_CHECKING:
    from cyclevos.exchange.candidate import Candidate
    from cyclevos.exchange.track import MaskTrack
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.ids_archive import IdsArchive

    return IdsArchive(destination.path, destination.appearance)


def _read(path: Path, options: ReadOptions) -> MaskTrack:
    from cyclevos.exchange.tools.numpy_masks import read_numpy

    return read_numpy(path, options)


def _detects(given: Candidate) -> bool:
    return not given.is_folder and given.path.suffix.lower() in (".npz", ".npy")


FORMAT = Format(
    name="npz",
    label="NumPy array",
    summary="all masks as one array of ids (T,H,W), with frame names, times and names of objects",
    file="masks.npz",
    uses=frozenset({"frames"}),
    room=Room(frame_names=True, object_names=True, colours=False),
    writer=_writer,
    read=_read,
    detects=_detects,
    aliases=("npy",),
    in_order=True,
)
