"""`gif`: the video with its masks in colour, as an animated picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.gif import GifWriter

    return GifWriter(destination.path, destination.frame_rate, destination.appearance, destination.playback)


FORMAT = Format(
    name="gif",
    label="Animated GIF",
    summary="the video with the masks in colour, at most 360 pixels on the shorter side",
    file="overlay.gif",
    needs=frozenset({"masks", "frames"}),
    writer=_writer,
    in_order=True,
    purpose="editing",
)
