"""Transfers between host and device: uploads that do not wait, and one download for several tensors."""

from __future__ import annotations

import torch
from torch import Tensor


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a host tensor to a device; a CUDA device's queue is not waited for."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def download(*tensors: Tensor) -> list[Tensor]:
    """Bring tensors of one device to the host, waiting for the device once.

    Args:
        *tensors: of any shapes and dtypes, on one device.

    Returns:
        The same values on the CPU, in the same order; tensors already there are returned as they are.

    Example:
        >>> [t.tolist() for t in download(torch.tensor([1, 2]), torch.tensor(True))]
        [[1, 2], True]
    """
    if any(tensor.is_cuda for tensor in tensors):
        return unpack(pack(*tensors).cpu(), *tensors)
    return [tensor.cpu() for tensor in tensors]


def pack(*tensors: Tensor) -> Tensor:
    """Join the bytes of tensors into one, uint8 (bytes,)."""
    return torch.cat([tensor.contiguous().flatten().view(torch.uint8) for tensor in tensors])


def unpack(packed: Tensor, *like: Tensor) -> list[Tensor]:
    """Split what :func:`pack` joined into tensors of the shapes and dtypes of ``like``."""
    parts = packed.split([tensor.numel() * tensor.element_size() for tensor in like])
    # A clone starts at its storage's beginning, as viewing bytes as a wider dtype demands.
    return [part.clone().view(each.dtype).view(each.shape) for part, each in zip(parts, like, strict=True)]
