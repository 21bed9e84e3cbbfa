"""`prores`: all objects cut out of the video, as ProRes 4444 with alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.exchange.tools.cutout_videos import cutout_video
    from cyclevos.media.video_encoding import PRORES

    return cutout_video(destination, PRORES)


FORMAT = Format(
    name="prores",
    label="ProRes cut-out",
    summary="all objects cut out of the video with its sound, ProRes 4444 with alpha, for editors",
    file="cutout.mov",
    needs=frozenset({"masks", "frames"}),
    uses=frozenset({"probabilities"}),
    writer=_writer,
    in_order=True,
    purpose="editing",
)
