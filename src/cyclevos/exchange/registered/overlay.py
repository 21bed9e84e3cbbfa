"""`overlay`: the video with its masks in colour."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.overlay import OverlayWriter

    return OverlayWriter(
        destination.path, destination.frame_rate, destination.appearance, playback=destination.playback
    )


FORMAT = Format(
    name="overlay",
    label="Overlay video",
    summary="the video with the masks in colour, as MP4",
    file="overlay.mp4",
    needs=frozenset({"masks", "frames"}),
    writer=_writer,
    in_order=True,
    preselected=True,
    purpose="results",
)
