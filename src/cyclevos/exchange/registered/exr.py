"""`exr`: mattes with soft edges, as OpenEXR."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.mattes import ExrMattes

    return ExrMattes(destination.path, destination.objects, destination.appearance)


def _first_missing(path: Path, names: Sequence[str]) -> str | None:
    from cyclevos.media.mattes import EXR, first_missing_matte

    return first_missing_matte(path, names, EXR)


def _remove(path: Path) -> None:
    from cyclevos.media.mattes import remove_mattes

    remove_mattes(path)


def _check() -> None:
    from cyclevos.pictures.exr import openexr

    openexr()


FORMAT = Format(
    name="exr",
    label="OpenEXR mattes",
    summary="OpenEXR half floats with soft edges, one folder per object, for compositing",
    file="exr",
    is_folder=True,
    per_object=True,
    needs=frozenset({"masks", "probabilities"}),
    writer=_writer,
    first_missing=_first_missing,
    remove=_remove,
    check=_check,
    purpose="editing",
)
