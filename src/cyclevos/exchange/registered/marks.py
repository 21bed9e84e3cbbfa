"""`marks`: the masks that the user gave, as ``cyclevos segment --masks FOLDER`` reads them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.writers import AnnotationWriter

    return AnnotationWriter(destination.path, destination.appearance)


def _remove(path: Path) -> None:
    from cyclevos.media.writers import remove_masks

    remove_masks(path)


FORMAT = Format(
    name="marks",
    label="Your painted masks",
    summary="the frames that you painted or accepted, to start again from them",
    file="marks",
    is_folder=True,
    needs=frozenset({"annotations"}),
    writer=_writer,
    remove=_remove,
    purpose="results",
)
