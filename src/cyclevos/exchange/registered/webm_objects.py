"""`webm-objects`: one VP9 with alpha per object."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.exchange.tools.cutout_videos import object_videos
    from cyclevos.media.video_encoding import VP9

    return object_videos(destination, VP9)


def _remove(path: Path) -> None:
    from cyclevos.media.cutouts import remove_videos

    remove_videos(path)


FORMAT = Format(
    name="webm-objects",
    label="WebM per object",
    summary="one silent VP9 with alpha per object",
    file="webm",
    is_folder=True,
    per_object=True,
    needs=frozenset({"masks", "frames"}),
    uses=frozenset({"probabilities"}),
    writer=_writer,
    remove=_remove,
    in_order=True,
    purpose="editing",
)
