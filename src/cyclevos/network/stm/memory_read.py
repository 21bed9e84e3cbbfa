"""Memory read: every query cell attends to all memory cells of its object."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

# Shapes: O objects, Ck key channels, Cv value channels, N memory cells, n query cells.

_ROWS = 256  # query cells read at a time on a CPU, so that their affinities stay in the cache
_MATCHED = 1024  # memory cells matched at a time on a CPU, for the same reason


class ReadKernel(NamedTuple):
    """The kernel that limits a memory cell's vote to the surroundings of the query cell that it matches best.

    Attributes:
        sigma: standard deviation of the Gaussian, in cells.
        grid: (h, w) of the query cells, in row order.
    """

    sigma: float
    grid: tuple[int, int]


def memory_read(
    memory_key: Tensor,
    memory_value: Tensor,
    query_key: Tensor,
    known: Tensor | None = None,
    kernel: ReadKernel | None = None,
) -> Tensor:
    r"""Read the memory with softmax attention.

    .. math:: v_j = \sum_i \mathrm{softmax}_i(k_i \cdot q_j / \sqrt{C_k} - |x_j - x_{b(i)}|^2 / 2\sigma^2)\, v_i

    The second term is the kernel (KMN, Seo et al., ECCV 2020), where :math:`x_{b(i)}` is the position of the query
    cell that memory cell :math:`i` matches best. Without a kernel it is left out (STM, Oh et al., ICCV 2019).

    Args:
        memory_key: (O, Ck, N).
        memory_value: (O, Cv, N).
        query_key: (O, Ck, n).
        known: bool (O, N), the cells an object may read; None = all.
        kernel: limits where votes count; None = everywhere.

    Keys and queries that are one tensor expanded to all objects are compared only once.

    Returns:
        The values read, (O, Cv, n).

    Raises:
        ValueError: the shapes do not match.

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
    if kernel is not None and math.prod(kernel.grid) != query_key.shape[2]:
        raise ValueError(f"expected a kernel over {query_key.shape[2]} query cells, got a grid of {kernel.grid}")
    objects = len(memory_key)
    alike = memory_key.stride(0) == 0 and query_key.stride(0) == 0
    if alike:
        memory_key, query_key = memory_key[:1], query_key[:1]  # the weights are the same for all objects
    query = (query_key * (1.0 / math.sqrt(query_key.shape[1]))).transpose(1, 2)  # (O or 1,n,Ck)
    if kernel is not None:
        memory_key, query = _confined(memory_key, query, kernel, _best_matches(memory_key, query))
    if alike and known is not None:
        memory_key, query = memory_key.expand(objects, -1, -1), query.expand(objects, -1, -1)
    if torch.is_grad_enabled() or query.is_cuda:
        return _read(memory_key, memory_value, query, known)
    return _read_in_parts(memory_key, memory_value, query, known)


def _read_in_parts(memory_key: Tensor, memory_value: Tensor, query: Tensor, known: Tensor | None) -> Tensor:
    """Do the same as :func:`_read` a few query cells at a time, with plain matrices and reused memory."""
    read = memory_value.new_empty(*memory_value.shape[:2], query.shape[1])
    parts = (min(_ROWS, query.shape[1]), memory_key.shape[2])
    affinity, weights = query.new_empty(parts), query.new_empty(parts)
    for o in range(len(query)):
        served = (o,) if len(query) == len(read) else range(len(read))
        key = memory_key[o].contiguous()  # once, not for every part
        for start in range(0, query.shape[1], _ROWS):
            rows = slice(start, start + _ROWS)
            count = len(query[o, rows])
            torch.mm(query[o, rows], key, out=affinity[:count])
            if known is not None:
                affinity[:count].masked_fill_(~known[o], float("-inf"))
            torch.softmax(affinity[:count], dim=1, out=weights[:count])
            for each in served:
                read[each, :, rows] = (weights[:count] @ memory_value[each].T).T
    return read


def _read(memory_key: Tensor, memory_value: Tensor, query: Tensor, known: Tensor | None) -> Tensor:
    """Read the values (O,Cv,N) of all objects, with a key and query per object or shared by all: (O,Cv,n)."""
    # Query-major, so that the softmax runs along contiguous memory.
    affinity = query @ memory_key  # (O or 1,n,N)
    if known is not None:
        affinity = affinity.masked_fill(~known[:, None, :], float("-inf"))
    weights, values = affinity.softmax(dim=2), memory_value.transpose(1, 2)  # (O,N,Cv)
    if len(weights) == len(values):
        return (weights @ values).transpose(1, 2)
    return torch.stack([weights[0] @ each for each in values]).transpose(1, 2)


def _confined(memory_key: Tensor, query: Tensor, kernel: ReadKernel, matches: Tensor) -> tuple[Tensor, Tensor]:
    """Add channels to keys (O or 1,Ck,N) and queries (O or 1,n,Ck) whose product is the kernel's term.

    Args:
        memory_key: the keys.
        query: the queries.
        kernel: the kernel.
        matches: the query cell that each memory cell matches best, (O or 1,N).

    A product is linear in each factor, so the squared distance is expanded: a^2 - 2ab + b^2. Each square takes two
    channels, because a single one in half precision would round away the smallest differences of the term.
    """
    # Relative to the middle of the grid: smaller numbers have smaller rounding errors.
    axes = (torch.arange(length, device=query.device) - (length - 1) / 2 for length in kernel.grid)
    place = (torch.cartesian_prod(*axes) / (math.sqrt(2) * kernel.sigma)).to(query.dtype)  # (n,2)
    square = place.to(torch.promote_types(place.dtype, torch.float32)).square().sum(dim=1, keepdim=True)
    coarse = square.to(place.dtype)
    squares = torch.cat([coarse, (square - coarse).to(place.dtype)], dim=1)  # (n,2)
    one = torch.ones_like(place)
    asking = torch.cat([2 * place, -one, -squares], dim=1).expand(len(query), -1, -1)  # (O or 1,n,6)
    matched = torch.cat([place, squares, one], dim=1)[matches]  # (O or 1,N,6)
    return torch.cat([memory_key, matched.transpose(1, 2)], dim=1), torch.cat([query, asking], dim=2)


@torch.no_grad()
def _best_matches(memory_key: Tensor, query: Tensor) -> Tensor:
    """Find the query cell that each memory cell matches best: (O or 1,N)."""
    asked = query.transpose(1, 2).contiguous()  # (O or 1,Ck,n)
    cells = memory_key.shape[2] if query.is_cuda else _MATCHED
    parts = memory_key.transpose(1, 2).split(cells, dim=1)
    # `max` also returns the values, but is four times as fast as `argmax` on a CPU.
    return torch.cat([(part @ asked).max(dim=2).indices for part in parts], dim=1)
