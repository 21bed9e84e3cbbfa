"""Memory read: every query cell attends to all memory cells of its object."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

# Shapes: O objects, Ck key channels, Cv value channels, N memory cells, n query cells.

_ROWS = 256  # query cells read at a time on a CPU, so that their affinities stay in the cache
_MATCHED = 1024  # memory cells matched at a time on a CPU, for the same reason
_TOGETHER = 8  # objects read at a time, so that only their values are held in the order of the bands
_REACH = 2.0  # on a CPU, a memory cell is mute so many standard deviations of the kernel away from its match


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

    The second term is the kernel (KMN, Seo et al., ECCV 2020), where :math:`x_{b(i)}` is the middle of the 2x2 query
    cells whose mean memory cell :math:`i` matches best (KMN: the best single cell). Without a kernel it is left out
    (STM, Oh et al., ICCV 2019).

    Args:
        memory_key: (O, Ck, N).
        memory_value: (O, Cv, N).
        query_key: (O, Ck, n).
        known: bool (O, N), the cells an object may read; None = all.
        kernel: limits where votes count; None = everywhere.

    Keys and queries that are one tensor expanded to all objects are compared only once. On a CPU and without gradients,
    a memory cell has no vote further than two standard deviations of the kernel from its match, along the grid's longer
    side.

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
    matches = None
    if kernel is not None:
        matches = _best_matches(memory_key, query, kernel.grid)
        memory_key, query = _confined(memory_key, query, kernel, matches)
    if alike and known is not None:
        memory_key, query = memory_key.expand(objects, -1, -1), query.expand(objects, -1, -1)
    if torch.is_grad_enabled() or query.device.type != "cpu":
        return _read(memory_key, memory_value, query, known)
    return _read_in_parts(memory_key, memory_value, query, known, kernel, matches)


def _read_in_parts(
    memory_key: Tensor,
    memory_value: Tensor,
    query: Tensor,
    known: Tensor | None,
    kernel: ReadKernel | None,
    matches: Tensor | None,
) -> Tensor:
    """Do nearly the same as :func:`_read` a few query cells at a time, with plain matrices and reused memory.

    With a kernel, memory cells that match far away are left out, see :func:`_bands`.

    Args:
        memory_key: (O or 1,Ck,N).
        memory_value: (O,Cv,N).
        query: (O or 1,n,Ck).
        known: bool (O,N); None = all.
        kernel: that the keys and queries contain; None = none.
        matches: where each memory cell's best match lies, (O or 1,N,2), with a kernel.
    """
    read = memory_value.new_empty(*memory_value.shape[:2], query.shape[1])
    alike = len(query) < len(read)
    for o in range(len(query)):
        heard = torch.arange(memory_key.shape[2]) if known is None else known[o].nonzero()[:, 0]
        if kernel is None or matches is None:
            cut = _rows(query.shape[1], len(heard))
        else:
            cut = _bands(matches[o if len(matches) > 1 else 0][heard], kernel)
            heard = heard[cut.heard]
        key, asked = memory_key[o][:, heard], query[o, cut.asked]
        store = query.new_empty(2, max(len(asked[rows]) for rows, _ in cut.parts) * len(heard))
        starts, together = (range(0, len(read), _TOGETHER), _TOGETHER) if alike else (range(o, o + 1), 1)
        for served in (slice(start, start + together) for start in starts):
            values = memory_value[served].transpose(1, 2)[:, heard]  # (some of O,N,Cv)
            for rows, cells in cut.parts:
                shape = len(asked[rows]), cells.stop - cells.start
                affinity, weights = (kept[: math.prod(shape)].view(shape) for kept in store)
                torch.mm(asked[rows], key[:, cells], out=affinity)
                torch.softmax(affinity, dim=1, out=weights)
                for target, value in zip(read[served], values, strict=True):
                    target[:, cut.asked[rows]] = (weights @ value[cells]).T
    return read


class _Cut(NamedTuple):
    """How a read is cut into parts.

    Attributes:
        asked: the query cells in the order of the parts, (n,).
        heard: the memory cells in the order of the parts, (N,).
        parts: for each part, its query cells and the memory cells that vote there, as slices of these orders.
    """

    asked: Tensor
    heard: Tensor
    parts: list[tuple[slice, slice]]


def _rows(asked: int, heard: int) -> _Cut:
    """Return parts of a few query cells, in each of which all memory cells vote."""
    parts = [(slice(start, min(start + _ROWS, asked)), slice(0, heard)) for start in range(0, asked, _ROWS)]
    return _Cut(torch.arange(asked), torch.arange(heard), parts)


def _bands(matches: Tensor, kernel: ReadKernel) -> _Cut:
    """Return bands across the grid's longer side, where memory cells vote that match no further than :data:`_REACH`.

    Args:
        matches: where each memory cell's best match lies, (N,2), in cells.
        kernel: the kernel.
    """
    along = int(kernel.grid[1] >= kernel.grid[0])  # the axis that is cut: columns unless the grid is upright
    length, across = kernel.grid[along], kernel.grid[1 - along]
    grid = torch.arange(length * across).view(kernel.grid)
    places, heard = matches[:, along].sort()
    reach, width = _REACH * kernel.sigma, max(1, _ROWS // across)
    parts = []
    for start in range(0, length, width):
        stop = min(start + width, length)
        ends = torch.tensor([start - reach, stop - 1 + reach], dtype=places.dtype)
        first, last = int(torch.searchsorted(places, ends[0])), int(torch.searchsorted(places, ends[1], right=True))
        cells = slice(first, last) if last > first else slice(0, len(places))  # somebody has to vote
        parts.append((slice(start * across, stop * across), cells))
    return _Cut((grid.T if along else grid).flatten(), heard, parts)


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
        matches: where each memory cell's best match lies, (O or 1,N,2), down and across in cells.

    A product is linear in each factor, so the squared distance is expanded: a^2 - 2ab + b^2. Each square takes two
    channels, because a single one in half precision would round away the smallest differences of the term.
    """
    scale, dtype = math.sqrt(2) * kernel.sigma, query.dtype
    exact = torch.promote_types(dtype, torch.float32)
    # Relative to the middle of the grid: smaller numbers have smaller rounding errors.
    middle = torch.tensor([(length - 1) / 2 for length in kernel.grid], dtype=exact, device=query.device)
    places = torch.cartesian_prod(*(torch.arange(length, device=query.device) for length in kernel.grid))  # (n,2)
    asked, square = _with_squares(((places - middle) / scale).to(dtype))  # (n,2) each
    matched, matched_square = _with_squares(((matches - middle) / scale).to(dtype))  # (O or 1,N,2) each
    asking = torch.cat([2 * asked, -torch.ones_like(asked), -square], dim=1).expand(len(query), -1, -1)  # (..., n,6)
    answering = torch.cat([matched, matched_square, torch.ones_like(matched)], dim=2)
    return torch.cat([memory_key, answering.transpose(1, 2)], dim=1), torch.cat([query, asking], dim=2)


def _with_squares(place: Tensor) -> tuple[Tensor, Tensor]:
    """Return places (...,2) and their squared lengths, as a coarse and a fine part whose sum is precise: (...,2)."""
    square = place.to(torch.promote_types(place.dtype, torch.float32)).square().sum(dim=-1, keepdim=True)
    coarse = square.to(place.dtype)
    return place, torch.cat([coarse, (square - coarse).to(place.dtype)], dim=-1)


@torch.no_grad()
def _best_matches(memory_key: Tensor, query: Tensor, grid: tuple[int, int]) -> Tensor:
    """Find where each memory cell's best match lies, among blocks of 2x2 query cells: (O or 1,N,2), in cells.

    A block takes part with its mean query, and its place is its middle: half a cell matters little to a kernel of
    several, and comparing all single cells would take four times as long.
    """
    blocks = F.avg_pool2d(query.transpose(1, 2).unflatten(2, grid), 2, ceil_mode=True).flatten(2)  # (O or 1,Ck,m)
    cells = _MATCHED if query.device.type == "cpu" else memory_key.shape[2]
    parts = memory_key.transpose(1, 2).split(cells, dim=1)
    # `max` also returns the values, but is four times as fast as `argmax` on a CPU.
    best = torch.cat([(part @ blocks).max(dim=2).indices for part in parts], dim=1)
    axes = (torch.arange(0, length, 2, device=query.device) + 0.5 for length in grid)
    middles = [axis.clamp(max=length - 1) for axis, length in zip(axes, grid, strict=True)]
    return torch.cartesian_prod(*middles)[best]
