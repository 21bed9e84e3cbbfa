"""The weights of a network that was adapted to a project's video, and what they come from.

adapted/weights.safetensors   the weights; the texts of its header hold the record, so that both are of one adaptation
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from cyclevos.app.errors import AppError

ADAPTED = "adapted"
"""Folder of the weights in a project's folder."""

_RECORD = "adaptation"
_MOST_HEADER = 16 * 2**20  # bytes


class AdaptedRecord(BaseModel):
    """What adapted weights come from.

    Attributes:
        weights: SHA-256 of the weights that the network was loaded from.
        digest: of the adapted weights.
        steps: taken, over all times that the network was adapted.
        times: that it was adapted, each on from the one before.
        annotations: digests of the masks that the last one was made from, by frame index.
        objects: the objects that these show, by frame index.
        loss_before: see :class:`~cyclevos.adaptation.outcome.AdaptationOutcome`; of the last time.
        loss_after: the same.
    """

    model_config = ConfigDict(extra="ignore")

    weights: str
    digest: str
    steps: int
    times: int
    annotations: dict[int, str]
    objects: dict[int, list[int]]
    loss_before: float | None = None
    loss_after: float | None = None

    def as_metadata(self) -> dict[str, str]:
        """Return it as texts for the header of a file of tensors."""
        return {_RECORD: self.model_dump_json()}

    def told(self) -> dict[str, Any]:
        """Return what a page needs to know, as JSON values."""
        return self.model_dump(mode="json", exclude={"weights", "annotations"})


def weights_file(folder: Path) -> Path:
    """Return where the adapted weights of the project in a folder lie, if there are any."""
    return folder / ADAPTED / "weights.safetensors"


def adapted_record(folder: Path) -> AdaptedRecord | None:
    """Return what a project's adapted weights come from; None if there are none that can be read."""
    return record_in(_header_texts(weights_file(folder)))


def record_in(texts: Mapping[str, Any]) -> AdaptedRecord | None:
    """Return the record in the texts of a file's header; None if there is none that can be read."""
    try:
        return AdaptedRecord.model_validate_json(str(texts.get(_RECORD, "")))
    except ValidationError:
        return None


def check_adapted(folder: Path) -> None:
    """Refuse to track a project with adapted weights that it does not have.

    Raises:
        AppError: it has none that can be read.
    """
    if adapted_record(folder) is None:
        raise AppError("There are no weights that were adapted to this video.", "Press Adapt to this video first.")


def _header_texts(path: Path) -> Mapping[str, Any]:
    """Return the texts in the header of a safetensors file without loading torch; none where it cannot be read."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            header = json.loads(file.read(length)) if length <= _MOST_HEADER else {}
    except (OSError, ValueError):
        return {}
    texts = header.get("__metadata__") if isinstance(header, dict) else None
    return texts if isinstance(texts, dict) else {}
