"""Building, loading and saving Cutie networks; the files are the library's own state dicts."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from cyclevos.files.atomic import replacing
from cyclevos.network.cutie.library import CutieSize, untrained_cutie
from cyclevos.network.cutie.network import CutieNetwork
from cyclevos.network.tensor_files import fill, read_pickle, read_safetensors

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
    fill(network.cutie.state_dict(), tensors, f"{path} does not match cutie-{size}")
    return network


def save_cutie(network: CutieNetwork, path: Path) -> None:
    """Write weights in the library's own format, a state dict by ``torch.save``.

    Raises:
        OutputError: the file cannot be written.
    """
    content = io.BytesIO()  # torch hides what the system says when it cannot write
    torch.save({name: tensor.detach().cpu() for name, tensor in network.cutie.state_dict().items()}, content)
    with replacing(path, flush=True) as temporary:
        temporary.write_bytes(content.getbuffer())
