"""`cutouts`: the objects cut out of every frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.cutouts import CutoutPictures

    return CutoutPictures(destination.path)


def _first_missing(path: Path, names: Sequence[str]) -> str | None:
    from cyclevos.media.cutouts import first_missing_picture

    return first_missing_picture(path, names)


def _remove(path: Path) -> None:
    from cyclevos.media.cutouts import remove_pictures

    remove_pictures(path)


FORMAT = Format(
    name="cutouts",
    label="Cut-out pictures",
    summary="all objects cut out of each frame, as RGBA PNG",
    file="cutouts",
    is_folder=True,
    needs=frozenset({"masks", "frames"}),
    uses=frozenset({"probabilities"}),
    writer=_writer,
    first_missing=_first_missing,
    remove=_remove,
    purpose="editing",
)
