"""Weights files: our own safetensors with their specification, and the authors' released files."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path

import torch
from pydantic import ValidationError
from torch import Tensor

from cyclevos.errors import WeightsError
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.spec import NetworkSpec
from cyclevos.network.tensor_files import (
    fill,
    is_stored,
    open_safetensors,
    read_safetensors,
    stored_tensors,
    write_safetensors,
)

_SPEC_KEY = "cyclevos.spec"


def save_weights(network: SpaceTimeMemoryNetwork, path: Path, *, half: bool = False) -> None:
    """Write weights with their specification, by :func:`write_safetensors`.

    Args:
        network: the network to save.
        path: the file.
        half: store floating-point tensors as float16.

    Raises:
        OutputError: the file cannot be written.
    """
    write_safetensors(stored_tensors(network, half=half), path, {_SPEC_KEY: network.spec.model_dump_json()})


def holds_weights(path: Path, network: SpaceTimeMemoryNetwork) -> bool:
    """Return whether a file is what :func:`save_weights` writes for a network; False if it is missing or damaged."""
    try:
        tensors, spec = read_weights(path)
    except WeightsError:
        return False
    return spec == network.spec and is_stored(network, tensors)


def read_weights(path: Path) -> tuple[dict[str, Tensor], NetworkSpec | None]:
    """Read tensors and the specification; None if the file holds none.

    Raises:
        WeightsError: the file is not safetensors or its specification is broken.
    """
    tensors, metadata = read_safetensors(path)
    return tensors, _spec(metadata, path)


def read_spec(path: Path) -> NetworkSpec | None:
    """Read the specification of a safetensors file, without its tensors; None if it holds none.

    Raises:
        WeightsError: the file is not safetensors or its specification is broken.
    """
    with open_safetensors(path) as file:
        metadata = dict(file.metadata() or {})
    return _spec(metadata, path)


def _spec(metadata: dict[str, str], path: Path) -> NetworkSpec | None:
    if _SPEC_KEY not in metadata:
        return None
    try:
        return NetworkSpec.model_validate_json(metadata[_SPEC_KEY])
    except (ValidationError, json.JSONDecodeError) as error:
        raise WeightsError(
            f"{path} holds a broken network specification: {error}", "Download the file or save the weights again."
        ) from error


def is_released(tensors: Mapping[str, Tensor]) -> bool:
    """Return whether tensors are named as in the authors' released files."""
    return any(name.startswith("Encoder_M.") for name in tensors)


_TRUNK_PARTS = {"res2": "layer1", "res3": "layer2", "res4": "layer3", "conv1": "conv1", "bn1": "bn1"}
_DECODER_PARTS = {
    "convFM": "input_convolution",
    "ResMM": "input_block",
    "RF3": "refine8",
    "RF2": "refine4",
    "pred2": "prediction",
}
_REFINEMENT_PARTS = {"convFS": "skip_convolution", "ResFS": "skip_block", "ResMM": "merge_block"}


def convert_released(tensors: Mapping[str, Tensor], spec: NetworkSpec) -> dict[str, Tensor]:
    """Rename the tensors of a released file to ours and join the memory encoder's first convolutions.

    Args:
        tensors: the file's tensors without ``module.``.
        spec: of the network to fill. It decides which second mask channel is expected. If the file holds an RGB mean
            and standard deviation, they must be those of the specification.

    Returns:
        Tensors under our names. Unknown names are kept, so that loading reports them.
    """
    second = "conv1_o" if spec.second_mask == "others" else "conv1_bg"
    joined = [f"Encoder_M.{name}.weight" for name in ("conv1", "conv1_m", second)]
    converted: dict[str, Tensor] = {}
    for name, value in tensors.items():
        if name.endswith("num_batches_tracked") or name in joined or _is_our_normalisation(name, value, spec):
            continue
        converted[_our_name(name)] = value
    parts = [tensors[name] for name in joined if name in tensors]
    if len(parts) == len(joined) and all(
        p.ndim == 4 and p.shape[0] == parts[0].shape[0] and p.shape[2:] == parts[0].shape[2:] for p in parts
    ):
        converted["memory_encoder.model.conv1.weight"] = torch.cat(parts, dim=1)
    else:
        converted |= {name: tensors[name] for name in joined if name in tensors}
    return converted


def _is_our_normalisation(name: str, value: Tensor, spec: NetworkSpec) -> bool:
    """Return whether a tensor repeats the specification's RGB mean or deviation; others are reported as unused."""
    known = {"mean": spec.mean, "std": spec.std}.get(name.rpartition(".")[2])
    if known is None or value.numel() != len(known):
        return False
    return torch.allclose(value.flatten().float(), torch.tensor(known), atol=1e-4)


def _our_name(name: str) -> str:
    head, _, rest = name.partition(".")
    part, _, tail = rest.partition(".")
    if head in ("Encoder_M", "Encoder_Q") and part in _TRUNK_PARTS:
        encoder = "memory_encoder" if head == "Encoder_M" else "query_encoder"
        return f"{encoder}.model.{_TRUNK_PARTS[part]}.{tail}"
    match = re.fullmatch(r"KV_([MQ])_r4\.(Key|Value)\.(weight|bias)", name)
    if match:
        return f"{'memory' if match[1] == 'M' else 'query'}_{match[2].lower()}.{match[3]}"
    if head == "Decoder" and part in _DECODER_PARTS:
        inner, _, leaf = tail.partition(".")
        if part in ("RF3", "RF2") and inner in _REFINEMENT_PARTS:
            tail = f"{_REFINEMENT_PARTS[inner]}.{leaf}"
        return f"decoder.{_DECODER_PARTS[part]}.{tail}"
    return name


def load_state(network: SpaceTimeMemoryNetwork, tensors: Mapping[str, Tensor], origin: str) -> None:
    """Load tensors into a network; each must be used and fit.

    Args:
        network: the network to fill.
        tensors: by our names; BatchNorm counters may be absent.
        origin: where the tensors come from, for the error.

    Raises:
        WeightsError: tensors are missing, left over or misshapen; all are listed by name.
    """
    network_text = f"trunk {network.spec.trunk}, second mask channel {network.spec.second_mask!r}"
    fill(network.state_dict(), tensors, f"{origin} does not match the network ({network_text})")
