"""The network that a project is tracked with: the server's, or the one that was adapted to the project's video."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass
from typing import cast

from torch import nn

from cyclevos.app.errors import AppError
from cyclevos.app.projects.adapted_weights import AdaptedRecord, adapted_record, record_in, weights_file
from cyclevos.app.projects.project import Project
from cyclevos.app.work.network_holder import NetworkHolder
from cyclevos.errors import WeightsError
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.network.tensor_files import fill, read_safetensors, tensors_digest
from cyclevos.network.weights import ordinary_tensors

_DAMAGED = "The weights that were adapted to this video are gone or damaged."
_REMEDY = "Press Use the network as it was, or do that and adapt again."


@dataclass(frozen=True)
class ProjectNetwork:
    """The network of a project.

    Attributes:
        network: that it is tracked with.
        identity: what results depend on.
        record: of the adaptation; None = the network is as it was loaded.
    """

    network: MemoryNetwork
    identity: tuple[str, ...]
    record: AdaptedRecord | None = None


def network_of(project: Project, holder: NetworkHolder) -> ProjectNetwork:
    """Return the network that a project is tracked with.

    Raises:
        AppError: its adapted weights are gone, damaged, or were made from other weights than those of the server.
        WeightsError, ConfigError: see :meth:`NetworkHolder.get`.
    """
    if not project.file.adapted:
        return ProjectNetwork(holder.get(), holder.identity)
    record = adapted_record(project.folder)
    if record is None:
        raise AppError(_DAMAGED, _REMEDY)
    if record.weights != holder.sha256:
        raise AppError("The network was adapted to this video from other weights than the app runs now.", _REMEDY)
    kept = holder.adapted(record.digest)
    if kept is not None:
        return ProjectNetwork(kept, _identity(holder, record), record)
    try:
        tensors, texts = read_safetensors(weights_file(project.folder))
    except WeightsError as error:
        raise AppError(_DAMAGED, _REMEDY) from error
    record = record_in(texts)  # once more: the project may have been adapted again meanwhile
    if record is None or tensors_digest(tensors).hex() != record.digest:
        raise AppError(_DAMAGED, _REMEDY)
    with ordinary_tensors():
        network = cast(nn.Module, deepcopy(holder.get()))
        fill(network.state_dict(), tensors, "The adapted weights do not match the network")
    loaded = holder.keep_adapted(record.digest, cast(MemoryNetwork, network))
    return ProjectNetwork(loaded, _identity(holder, record), record)


def _identity(holder: NetworkHolder, record: AdaptedRecord) -> tuple[str, ...]:
    return (*holder.identity, f"adapted {record.digest}")
