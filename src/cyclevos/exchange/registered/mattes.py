"""`mattes`: mattes with soft edges, as PNG."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.mattes import PngMattes

    return PngMattes(destination.path, destination.objects, destination.appearance)


def _first_missing(path: Path, names: Sequence[str]) -> str | None:
    from cyclevos.media.mattes import PNG, first_missing_matte

    return first_missing_matte(path, names, PNG)


def _remove(path: Path) -> None:
    from cyclevos.media.mattes import remove_mattes

    remove_mattes(path)


FORMAT = Format(
    name="mattes",
    label="Soft mattes",
    summary="8-bit grey PNGs with soft edges, one folder per object, for compositing",
    file="mattes",
    is_folder=True,
    per_object=True,
    needs=frozenset({"masks", "probabilities"}),
    writer=_writer,
    first_missing=_first_missing,
    remove=_remove,
    purpose="editing",
)
