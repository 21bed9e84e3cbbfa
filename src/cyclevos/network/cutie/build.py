"""Building, loading and saving Cutie networks; the files are the library's own state dicts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from cyclevos.errors import WeightsError
from cyclevos.files.atomic import replacing
from cyclevos.network.cutie.library import CutieSize, untrained_cutie
from cyclevos.network.cutie.network import CutieNetwork
from cyclevos.network.stm.checkpoints import read_pickle, read_safetensors

_TRUNK_CHANNELS: dict[int, CutieSize] = {1024: "base", 256: "small"}  # at stride 16, where the two sizes differ
_TRUNK_PROJECTION = "pix_feat_proj.weight"
_OWN_NAMES = (_TRUNK_PROJECTION, "pixel_fuser.sensory_compress.weight", "object_summarizer.input_proj.weight")


def build_cutie(size: CutieSize) -> CutieNetwork:
    """Build a network with random weights; nothing is downloaded.

    Raises:
        MissingExtraError: rf-cutie is not installed.
    """
    return CutieNetwork(untrained_cutie(size))


def is_cutie(tensors: Mapping[str, Tensor]) -> CutieSize | None:
    """Return the size of the Cutie that tensors belong to, by their names and shapes; None if they are another's."""
    if any(name not in tensors for name in _OWN_NAMES):
        return None
    projection = tensors[_TRUNK_PROJECTION]
    return _TRUNK_CHANNELS.get(projection.shape[1]) if projection.ndim == 4 else None


def load_cutie(path: Path, size: CutieSize) -> CutieNetwork:
    """Load a network from the library's weights file, ``.pth``, or the same tensors as ``.safetensors``.

    Raises:
        WeightsError: it is no weights file, or tensors are missing, left over or misshapen; all are listed by name.
        MissingExtraError: rf-cutie is not installed.
    """
    tensors = read_safetensors(path)[0] if path.suffix == ".safetensors" else read_pickle(path)
    network = build_cutie(size)
    expected: dict[str, Tensor] = network.cutie.state_dict()
    problems = _mismatches(tensors, expected)
    if problems:
        raise WeightsError(
            f"{path} does not match cutie-{size}: {'; '.join(problems)}.",
            "Name the network that the weights were made for.",
        )
    with torch.no_grad():
        for name, value in tensors.items():
            expected[name].copy_(value)
    return network


def _mismatches(tensors: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> list[str]:
    """Return which tensors are missing, left over or misshapen; BatchNorm counters may be absent."""
    missing = [name for name in expected if name not in tensors and not name.endswith("num_batches_tracked")]
    extra = [name for name in tensors if name not in expected]
    misshapen = [
        f"{name}: {tuple(tensor.shape)} where {tuple(expected[name].shape)} is needed"
        for name, tensor in tensors.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    return [
        f"{label} ({len(names)}): {', '.join(names)}"
        for label, names in (("missing", missing), ("not used", extra), ("misshapen", misshapen))
        if names
    ]


def save_cutie(network: CutieNetwork, path: Path) -> None:
    """Write weights in the library's own format, a state dict by ``torch.save``.

    Raises:
        OutputError: the file cannot be written.
    """
    content = io.BytesIO()  # torch hides what the system says when it cannot write
    torch.save({name: tensor.detach().cpu() for name, tensor in network.cutie.state_dict().items()}, content)
    with replacing(path, flush=True) as temporary:
        temporary.write_bytes(content.getbuffer())
