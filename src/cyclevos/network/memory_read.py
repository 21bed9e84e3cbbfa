"""Memory read: every query cell looks at all memory cells of its object."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Shapes: O objects, Ck key channels, Cv value channels, N memory cells, n query cells.

_MAX_AFFINITIES = 16_000_000  # cells of the affinity held at once without gradients: 64 MB in float32


def memory_read(memory_key: Tensor, memory_value: Tensor, query_key: Tensor, known: Tensor | None = None) -> Tensor:
    r"""Read the memory with softmax attention.

    .. math:: v_j = \sum_i \mathrm{softmax}_i(k_i \cdot q_j / \sqrt{C_k})\, v_i

    Args:
        memory_key: (O, Ck, N).
        memory_value: (O, Cv, N).
        query_key: (O, Ck, n).
        known: bool (O, N), the cells an object may read; None = all.

    Returns:
        The values read, (O, Cv, n).

    Raises:
        ValueError: the shapes do not fit together.

    Example:
        >>> key = torch.tensor([[[0.0, 100.0]]]); value = torch.tensor([[[1.0, 7.0]]])
        >>> memory_read(key, value, torch.tensor([[[1.0]]]))
        tensor([[[7.]]])
    """
    if memory_key.shape[::2] != memory_value.shape[::2] or memory_key.shape[:2] != query_key.shape[:2]:
        raise ValueError(
            "expected memory_key (O,Ck,N), memory_value (O,Cv,N), query_key (O,Ck,n); got "
            f"{tuple(memory_key.shape)}, {tuple(memory_value.shape)}, {tuple(query_key.shape)}"
        )
    query = query_key * (1.0 / math.sqrt(query_key.shape[1]))
    if torch.is_grad_enabled():
        return _read(memory_key, memory_value, query, known)
    columns = max(1, _MAX_AFFINITIES // max(1, memory_key.shape[0] * memory_key.shape[2]))
    parts = [_read(memory_key, memory_value, part, known) for part in query.split(columns, dim=2)]
    return torch.cat(parts, dim=2)


def _read(memory_key: Tensor, memory_value: Tensor, query: Tensor, known: Tensor | None) -> Tensor:
    affinity = memory_key.transpose(1, 2) @ query  # (O,N,n)
    if known is not None:
        affinity = affinity.masked_fill(~known[:, :, None], float("-inf"))
    return memory_value @ affinity.softmax(dim=1)  # (O,Cv,n)
