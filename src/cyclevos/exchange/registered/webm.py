"""`webm`: all objects cut out of the video, as VP9 with alpha."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.exchange.tools.cutout_videos import cutout_video
    from cyclevos.media.video_encoding import VP9

    return cutout_video(destination, VP9)


FORMAT = Format(
    name="webm",
    label="WebM cut-out",
    summary="all objects cut out of the video with its sound, VP9 with alpha, for web pages",
    file="cutout.webm",
    needs=frozenset({"masks", "frames"}),
    uses=frozenset({"probabilities"}),
    writer=_writer,
    in_order=True,
    purpose="editing",
)
