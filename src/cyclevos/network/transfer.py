"""Transfers between host and device: uploads that do not wait, and one download for several tensors."""

from __future__ import annotations

import torch
from torch import Tensor


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """Move a host tensor to a device, without waiting for the queue of a CUDA device."""
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


def download(*tensors: Tensor) -> list[Tensor]:
    """Copy tensors of one device to the host, waiting for the device only once.

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
    """Join the bytes of tensors into one tensor, uint8 (bytes,)."""
    return torch.cat([tensor.contiguous().flatten().view(torch.uint8) for tensor in tensors])


def unpack(packed: Tensor, *like: Tensor) -> list[Tensor]:
    """Split the result of :func:`pack` into tensors with the shapes and dtypes of ``like``."""
    parts = packed.split([tensor.numel() * tensor.element_size() for tensor in like])
    # Viewing bytes as a wider dtype requires a tensor that starts at its storage's beginning, as a clone does.
    return [part.clone().view(each.dtype).view(each.shape) for part, each in zip(parts, like, strict=True)]
