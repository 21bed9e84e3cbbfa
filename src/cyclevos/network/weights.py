"""Loading a network by name, file or hub address."""

from __future__ import annotations

import logging
from pathlib import Path

import torch

from cyclevos.errors import ConfigError, WeightsError
from cyclevos.network.checkpoints import (
    convert_released,
    is_released,
    load_state,
    read_pickle,
    read_safetensors,
)
from cyclevos.network.spec import SPECS, NetworkSpec
from cyclevos.network.stm import SpaceTimeMemoryNetwork
from cyclevos.network.trunks import cpu_capabilities, load_imagenet_weights

logger = logging.getLogger(__name__)

PACKAGED = {"default": Path(__file__).resolve().parents[1] / "weights" / "default.safetensors"}
"""Weights in the package."""

_DEVICES = "Use auto, cpu, cuda, cuda:N with the number of an installed card, or mps on a Mac."

_BFLOAT16_CARDS = 8  # lowest compute capability of CUDA cards with bfloat16 in hardware

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_network(
    name: str | Path = "default",
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
) -> SpaceTimeMemoryNetwork:
    """Load a network with its weights.

    Args:
        name: ``default``; another name of :data:`cyclevos.network.spec.SPECS` together with
            ``weights``; a weights file; or ``hf://owner/repository/file``. A released file of the
            authors is recognised by its tensor names, the trunk by their shapes.
        weights: weights file or ``hf://`` address for a named network.
        device: ``auto`` (CUDA if available, else the CPU) or any torch device.
        dtype: ``auto`` (see :func:`resolve_dtype`), ``float32``, ``bfloat16`` or ``float16``.

    Returns:
        The network in evaluation mode; its parameters require no gradient.

    Raises:
        WeightsError: the name or file is unknown, or the tensors do not match.
        ConfigError: the device or the dtype is unknown, or the device cannot be used here.
    """
    place = resolve_device(device)
    network = _load(str(name), None if weights is None else str(weights))
    network.eval().requires_grad_(False)
    return network.to(place, resolve_dtype(dtype, place)).to(memory_format=torch.channels_last)


def build_network(spec: NetworkSpec, *, imagenet: bool = False) -> SpaceTimeMemoryNetwork:
    """Build a network with untrained weights; with `imagenet`, the trunks start from ImageNet weights.

    Raises:
        ConfigError: the trunk is unknown.
        WeightsError: its ImageNet weights cannot be loaded.
    """
    network = SpaceTimeMemoryNetwork(spec)
    if imagenet:
        load_imagenet_weights(network.query_encoder, spec.trunk)
        load_imagenet_weights(network.memory_encoder, spec.trunk)
    return network


def resolve_device(device: str | torch.device) -> torch.device:
    """Return a device that can be used here; ``auto`` is CUDA if available, else the CPU.

    Raises:
        ConfigError: torch does not know the device or cannot use it here.
    """
    if isinstance(device, str) and device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        place = torch.device(device)
        if place.type == "meta":
            raise ValueError("tensors on meta hold no values")
        torch.zeros(1, device=place)
    except Exception as error:  # the kind of exception differs between devices
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigError(f"Device {str(device)!r} cannot be used here ({reason}).", _DEVICES) from error
    return place


def resolve_dtype(dtype: str | torch.dtype, device: torch.device) -> torch.dtype:
    """Return the dtype of a name; ``auto`` is the fastest one that is precise enough.

    That is bfloat16 on CUDA cards and CPUs that support it in hardware, float16 on older cards, else float32.

    Raises:
        ConfigError: the name is unknown, or the dtype is not a floating-point one.
    """
    if isinstance(dtype, torch.dtype):
        if not dtype.is_floating_point:
            raise ConfigError(f"The dtype {dtype} is not a floating-point one.", f"Use auto, {', '.join(DTYPES)}.")
        return dtype
    if dtype == "auto":
        if device.type == "cuda":
            return torch.bfloat16 if torch.cuda.get_device_capability(device)[0] >= _BFLOAT16_CARDS else torch.float16
        return torch.bfloat16 if device.type == "cpu" and _cpu_has_bfloat16() else torch.float32
    if dtype not in DTYPES:
        raise ConfigError(f"The dtype {dtype!r} is unknown.", f"Use auto, {', '.join(DTYPES)}.")
    return DTYPES[dtype]


def _cpu_has_bfloat16() -> bool:
    capabilities = cpu_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def _load(name: str, weights: str | None) -> SpaceTimeMemoryNetwork:
    if name in SPECS:
        if weights is not None:
            return _from_file(_local(weights), SPECS[name])
        if name in PACKAGED and PACKAGED[name].is_file():
            return _from_file(PACKAGED[name], None)
        raise WeightsError(
            f"The weights of {name!r} do not come with the package.",
            f"Download the authors' file and pass it: load_network({name!r}, weights='FILE') or --weights {name}=FILE.",
        )
    if weights is not None:
        raise WeightsError(f"{name!r} is not a named network.", f"Use one of the names {', '.join(SPECS)}.")
    if "=" in name and name.split("=", 1)[0] in SPECS:
        known, file = name.split("=", 1)
        return _from_file(_local(file), SPECS[known])
    return _from_file(_local(name), None)


def _from_file(path: Path, spec: NetworkSpec | None) -> SpaceTimeMemoryNetwork:
    stored: NetworkSpec | None = None
    if path.suffix == ".safetensors":
        tensors, stored = read_safetensors(path)
    else:
        tensors = read_pickle(path)
    if is_released(tensors):
        spec = spec or SPECS[_released_name(tensors)]
        tensors = convert_released(tensors, spec)
    if stored is not None and spec is not None:
        _refuse_another(stored, spec, path)
    spec = stored or spec
    if spec is None:
        raise WeightsError(f"{path} does not record which network it is for.", f"Name it: --weights NAME={path}.")
    network = SpaceTimeMemoryNetwork(spec)
    load_state(network, tensors, str(path))
    logger.info("loaded %s (trunk %s)", path, spec.trunk)
    return network


def _refuse_another(stored: NetworkSpec, wanted: NetworkSpec, path: Path) -> None:
    free = {"size", "read_sigma"}  # may be changed after training
    ours, theirs = stored.model_dump(exclude=free), wanted.model_dump(exclude=free)
    differing = [name for name, value in ours.items() if value != theirs[name]]
    if differing:
        raise WeightsError(
            f"{path} holds a network other than the named one: {', '.join(f'{n} is {ours[n]!r}' for n in differing)}.",
            "Give the file without a name: it records which network it is for.",
        )


def _released_name(tensors: dict[str, torch.Tensor]) -> str:
    """Return the name of a released network, found by its second mask channel and its blocks."""
    if "Encoder_M.conv1_o.weight" in tensors:
        return "stm-resnet50"
    bottlenecks = any(".conv3." in name for name in tensors)
    return "stm-cycle-resnet50" if bottlenecks else "stm-cycle-resnet18"


def _local(address: str) -> Path:
    if not address.startswith("hf://"):
        path = Path(address).expanduser()
        if not path.is_file():
            raise WeightsError(
                f"No weights {address!r}: neither a named network ({', '.join(SPECS)}) nor a file nor hf://owner/repository/file.",
                "Check the spelling of the name or path.",
            )
        return path
    parts = address.removeprefix("hf://").split("/")
    if len(parts) < 3:
        raise WeightsError(
            f"The address {address!r} is incomplete; expected hf://owner/repository/path/to/file.",
            "Name the owner, the repository and the file.",
        )
    from huggingface_hub import hf_hub_download

    try:
        return Path(hf_hub_download("/".join(parts[:2]), "/".join(parts[2:])))
    except Exception as error:
        raise WeightsError(
            f"{address} could not be downloaded: {error}", "Check the address and the connection, or pass a local file."
        ) from error
