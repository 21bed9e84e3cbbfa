"""Weights files of prompt networks: safetensors with their specification."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from cyclevos.errors import WeightsError
from cyclevos.network.tensor_files import (
    fill,
    is_stored,
    open_safetensors,
    read_safetensors,
    stored_tensors,
    write_safetensors,
)
from cyclevos.prompts.network import PromptNetwork
from cyclevos.prompts.spec import PromptSpec

_SPEC_KEY = "cyclevos.prompts.spec"


def save_prompt_network(network: PromptNetwork, path: Path, *, half: bool = False) -> None:
    """Write weights with their specification.

    Args:
        network: the network to save.
        path: the file.
        half: store floating-point tensors as float16.

    Raises:
        OutputError: the file cannot be written.
    """
    write_safetensors(stored_tensors(network, half=half), path, {_SPEC_KEY: network.spec.model_dump_json()})


def read_prompt_spec(path: Path) -> PromptSpec | None:
    """Read the specification of a safetensors file, without its tensors; None if it holds none.

    Raises:
        WeightsError: the file is not safetensors or its specification is broken.
    """
    with open_safetensors(path) as file:
        text = dict(file.metadata() or {}).get(_SPEC_KEY)
    if text is None:
        return None
    try:
        return PromptSpec.model_validate_json(text)
    except ValidationError as error:
        raise WeightsError(
            f"{path} holds a broken specification of a prompt network: {error}",
            "Download the file or save the weights again.",
        ) from error


def load_prompt_network(path: Path) -> PromptNetwork:
    """Load a prompt network on the CPU, in float32.

    Raises:
        WeightsError: the file holds other weights, or values that are not finite.
    """
    spec = read_prompt_spec(path)
    if spec is None:
        raise WeightsError(
            f"{path} holds no weights of a prompt network.", "Give a file of cyclevos train prompt, or a name."
        )
    network = PromptNetwork(spec)
    tensors = read_safetensors(path)[0]
    broken = [name for name, tensor in tensors.items() if not bool(tensor.isfinite().all())]
    if broken:
        raise WeightsError(f"{path} holds values that are not finite, first in {broken[0]}.", "Train or save it again.")
    fill(network.state_dict(), tensors, f"{path} does not match its own specification")
    return network


def same_weights(path: Path, network: PromptNetwork) -> bool:
    """Return whether a file is what :func:`save_prompt_network` writes for a network; False if it is damaged."""
    try:
        spec, (tensors, _) = read_prompt_spec(path), read_safetensors(path)
    except WeightsError:
        return False
    return spec == network.spec and is_stored(network, tensors)
