"""Memory read: every query cell looks at all memory cells of its object."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Shapes: O objects, Ck key channels, Cv value channels, N memory cells, n query cells.

ROWS = 256  # query cells read at once on a CPU: their affinities stay in the cache
MANY = 4096  # memory cells from which on it pays to find out which of them count
SAMPLE = 4  # every so many query cells of a part are asked which memory cells count


def memory_read(
    memory_key: Tensor,
    memory_value: Tensor,
    query_key: Tensor,
    known: Tensor | None = None,
    floor: float = 0.0,
) -> Tensor:
    r"""Read the memory with softmax attention.

    .. math:: v_j = \sum_i \mathrm{softmax}_i(k_i \cdot q_j / \sqrt{C_k})\, v_i

    Args:
        memory_key: (O, Ck, N).
        memory_value: (O, Cv, N).
        query_key: (O, Ck, n).
        known: bool (O, N), the cells an object may read; None = all.
        floor: of more than 4,096 memory cells those are left out that none of a sample of neighbouring query
            cells gives this many times the mean weight: together they weigh much, one by one they say nothing.
            0 leaves out none; with gradients none is left out either.

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
    query = (query_key * (1.0 / math.sqrt(query_key.shape[1]))).transpose(1, 2)  # (O,n,Ck)
    selective = floor > 0 and memory_key.shape[2] > MANY
    if torch.is_grad_enabled() or (query.is_cuda and not selective):
        return _read(memory_key, memory_value, query, known)
    read = memory_value.new_empty(*memory_value.shape[:2], query_key.shape[2])
    for o in range(len(query)):
        one = slice(o, o + 1)
        key, value = memory_key[one].contiguous(), memory_value[one]  # once, not for every part
        mask = None if known is None else known[one]
        for start in range(0, query.shape[1], ROWS):
            part = query[one, start : start + ROWS]
            held = (key, value, mask)
            if selective:
                held = _what_counts(memory_key[one], key, value, part[:, ::SAMPLE], mask, floor)
            read[one, :, start : start + ROWS] = _read(held[0], held[1], part, held[2])
    return read


def _what_counts(
    stored: Tensor, key: Tensor, value: Tensor, query: Tensor, known: Tensor | None, floor: float
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Return key, value and known of the memory cells that some of one object's query cells (1,n,Ck) look at.

    ``stored`` is the key as the memory bank lays it out, cell by cell, where gathering cells is quick.
    """
    weights = _weights(key, query, known)[0].amax(dim=0)  # (N,)
    cells = (weights > floor / len(weights)).nonzero()[:, 0]
    if not len(cells):  # all look alike to everybody
        return key, value, known
    chosen = [each.transpose(1, 2).index_select(1, cells).transpose(1, 2) for each in (stored, value)]
    return chosen[0], chosen[1], None if known is None else known[:, cells]


def _read(memory_key: Tensor, memory_value: Tensor, query: Tensor, known: Tensor | None) -> Tensor:
    return (_weights(memory_key, query, known) @ memory_value.transpose(1, 2)).transpose(1, 2)  # (O,Cv,n)


def _weights(memory_key: Tensor, query: Tensor, known: Tensor | None) -> Tensor:
    # Query-major, so that the softmax runs along contiguous memory.
    affinity = query @ memory_key  # (O,n,N)
    if known is not None:
        affinity = affinity.masked_fill(~known[:, None, :], float("-inf"))
    return affinity.softmax(dim=2)
