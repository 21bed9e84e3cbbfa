"""Memory read: every query cell looks at all memory cells of its object."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Shapes: O objects, Ck key channels, Cv value channels, N memory cells, n query cells.

_ROWS = 256  # query cells read at once on a CPU: their affinities stay in the cache


def memory_read(memory_key: Tensor, memory_value: Tensor, query_key: Tensor, known: Tensor | None = None) -> Tensor:
    r"""Read the memory with softmax attention.

    .. math:: v_j = \sum_i \mathrm{softmax}_i(k_i \cdot q_j / \sqrt{C_k})\, v_i

    Args:
        memory_key: (O, Ck, N).
        memory_value: (O, Cv, N).
        query_key: (O, Ck, n).
        known: bool (O, N), the cells an object may read; None = all.

    Keys and queries that are one tensor expanded to all objects are compared once.

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
    if known is None and memory_key.stride(0) == 0 and query_key.stride(0) == 0:
        memory_key, query_key = memory_key[:1], query_key[:1]  # all objects weigh the cells alike
    query = (query_key * (1.0 / math.sqrt(query_key.shape[1]))).transpose(1, 2)  # (O or 1,n,Ck)
    if torch.is_grad_enabled() or query.is_cuda:
        return _read(memory_key, memory_value, query, known)
    read = memory_value.new_empty(*memory_value.shape[:2], query_key.shape[2])
    for o in range(len(query)):
        one = slice(o, o + 1)
        served = one if len(query) == len(read) else slice(None)
        key = memory_key[one].contiguous()  # once, not for every part
        for start in range(0, query.shape[1], _ROWS):
            rows = slice(start, start + _ROWS)
            mask = None if known is None else known[one]
            read[served, :, rows] = _read(key, memory_value[served], query[one, rows], mask)
    return read


def _read(memory_key: Tensor, memory_value: Tensor, query: Tensor, known: Tensor | None) -> Tensor:
    """Read the values (O,Cv,N) of all objects with keys and queries of each, or one for all: (O,Cv,n)."""
    # Query-major, so that the softmax runs along contiguous memory.
    affinity = query @ memory_key  # (O or 1,n,N)
    if known is not None:
        affinity = affinity.masked_fill(~known[:, None, :], float("-inf"))
    weights, values = affinity.softmax(dim=2), memory_value.transpose(1, 2)  # (O,N,Cv)
    if len(weights) == len(values):
        return (weights @ values).transpose(1, 2)
    return torch.stack([weights[0] @ each for each in values]).transpose(1, 2)
