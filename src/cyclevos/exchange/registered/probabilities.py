"""`probabilities`: the network's certainty, one compressed array per frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cyclevos.exchange.format import Destination, Format

if TYPE_CHECKING:
    from cyclevos.media.writers import ResultWriter


def _writer(destination: Destination) -> ResultWriter:
    from cyclevos.media.writers import ProbabilityWriter

    return ProbabilityWriter(destination.path)


def _first_missing(path: Path, names: Sequence[str]) -> str | None:
    from cyclevos.media.writers import first_missing_probabilities

    return first_missing_probabilities(path, names)


FORMAT = Format(
    name="probabilities",
    label="Probabilities",
    summary="one NumPy .npz per frame with a probability per object and pixel",
    file="probabilities",
    is_folder=True,
    needs=frozenset({"probabilities"}),
    writer=_writer,
    first_missing=_first_missing,
    purpose="results",
)
