"""Loading a network by name, file, folder or hub address."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, cast

import torch
from torch import nn

from cyclevos.errors import ConfigError
from cyclevos.network.calibration import matching_calibration
from cyclevos.network.fingerprint import fingerprint
from cyclevos.network.locating import Located, calibration_file, fetch, locate
from cyclevos.network.named_weights import Packaged
from cyclevos.network.protocol import MemoryNetwork
from cyclevos.words import first_line

logger = logging.getLogger(__name__)

_DEVICES = "Use auto, cpu, cuda, cuda:N with the number of an installed card, or mps on a Mac."

_BFLOAT16_CARDS = 8  # lowest compute capability of CUDA cards with bfloat16 in hardware

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_network(
    name: str | Path = "default",
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
) -> MemoryNetwork:
    """Load a network with its weights, and fetch them first if they are not on this machine.

    Args:
        name: a name that ``cyclevos weights`` lists; a file or folder in a family's own format, which is recognised by
            its content; ``NAME=FILE``; ``hf://owner/repository/file``, or ``hf://owner/repository`` for formats that
            are folders. ``@revision`` may follow a repository.
        weights: file, folder or ``hf://`` address for a named network.
        device: ``auto`` (CUDA if available, else the CPU) or any torch device.
        dtype: ``auto`` (see :func:`resolve_dtype`), ``float32``, ``bfloat16`` or ``float16``.

    Returns:
        The network in evaluation mode; its parameters require no gradient. ``calibration`` is the file of the
        reliability predictor that was fitted to these weights, if there is one.

    Raises:
        WeightsError: the name or file is unknown, cannot be fetched, or the tensors do not match.
        MissingExtraError: what the network needs is not installed; nothing has been downloaded.
        OutputError: what was fetched cannot be written.
        ConfigError: the device or the dtype is unknown, or the device cannot be used here.
    """
    place = resolve_device(device)
    kind = resolve_dtype(dtype, place)
    address = str(name) if weights is None else f"{name}={weights}"
    return load_located(fetch(locate(address)), place, kind)


def as_network(network: MemoryNetwork | str | Path) -> MemoryNetwork:
    """Return a network as it is, and load one that is named; see :func:`load_network`.

    Raises:
        ConfigError: it is neither a network nor a name.
        WeightsError: it cannot be loaded.
    """
    if isinstance(network, str | Path):
        return load_network(network)
    if not all(hasattr(network, name) for name in ("traits", "encode_query", "segment", "new_memory")):
        raise ConfigError(
            f"The network is {type(network).__name__}; expected one from cyclevos.load_network, or its name.",
            'Write cyclevos.load_network("default"), or give "default" itself; cyclevos weights lists the names.',
        )
    return network


def load_located(located: Located, device: torch.device, dtype: torch.dtype) -> MemoryNetwork:
    """Load weights that are on this machine.

    Args:
        located: from :func:`cyclevos.network.locating.fetch`.
        device: where the network runs.
        dtype: of its parameters.

    Raises:
        WeightsError: the tensors do not match.
    """
    family = located.network_family()
    with ordinary_tensors():
        network = family.load(located.on_disk(), located.name)
        module = cast(nn.Module, network)
        module.eval().requires_grad_(False)
        module.to(device, dtype)
        if family.channels_last:
            move: Any = module.to
            move(memory_format=torch.channels_last)
    calibration = calibration_file(located)
    if not isinstance(located.where, Packaged):
        network.calibration = matching_calibration(calibration, partial(fingerprint, located.on_disk()))
    elif calibration.is_file():
        network.calibration = calibration
    logger.info("loaded %s (%s, %s)", located.path, family.name, located.name or "no name")
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
        raise ConfigError(f"Device {str(device)!r} cannot be used here ({first_line(error)}).", _DEVICES) from error
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
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()  # too old a torch reports none
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


@contextmanager
def ordinary_tensors() -> Iterator[None]:
    """Make ordinary float32 tensors, whatever mode and default dtype the caller has set.

    Tensors made in inference mode never get a gradient, so masks that depend on them could not be corrected.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float32)
    try:
        with torch.inference_mode(False):
            yield
    finally:
        torch.set_default_dtype(before)
