"""`reliability`: the predicted J of every mask as a table; the review list and its pictures are added at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.reliability_files import ReliabilityWriter

    return ReliabilityWriter(
        destination.path, destination.source_name, resume=destination.resume, appearance=destination.appearance
    )


FORMAT = Format(
    name="reliability",
    label="Reliability",
    summary="how far to trust each mask, as a table, and pictures of the frames worth checking",
    file="reliability.csv",
    needs=frozenset({"reliability"}),
    writer=_writer,
    preselected=True,
    purpose="results",
)
