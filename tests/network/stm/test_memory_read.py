"""The memory read against a slow version written from the equations."""

import itertools
import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from cyclevos.network.stm.memory_read import ReadKernel, _best_matches, _confined, memory_read


def naive_blocks(query, grid):
    """The mean query and the middle of each block of 2x2 cells, smaller at the lower and right border."""
    h, w = grid
    for top, left in itertools.product(range(0, h, 2), range(0, w, 2)):
        cells = list(itertools.product(range(top, min(top + 2, h)), range(left, min(left + 2, w))))
        mean = torch.stack([query[:, y * w + x] for y, x in cells]).mean(0)
        yield mean, (sum(y for y, _ in cells) / len(cells), sum(x for _, x in cells) / len(cells))


def naive_read(key, value, query, kernel=None, reach=math.inf):
    out = torch.zeros(value.shape[0], value.shape[1], query.shape[2], dtype=value.dtype)
    for o in range(len(key)):
        scores = torch.stack([key[o, :, i] @ query[o] for i in range(key.shape[2])]) / key.shape[1] ** 0.5  # (N,n)
        if kernel is not None:
            width, blocks = kernel.grid[1], list(naive_blocks(query[o], kernel.grid))
            for i in range(key.shape[2]):
                _, (y, x) = max(blocks, key=lambda block: float(key[o, :, i] @ block[0]))
                for j in range(query.shape[2]):
                    down, across = j // width - y, j % width - x
                    scores[i, j] -= (down**2 + across**2) / (2 * kernel.sigma**2)
                    if abs(across if width >= kernel.grid[0] else down) > reach:
                        scores[i, j] = -math.inf
        for j in range(query.shape[2]):
            weights = scores[:, j].softmax(0)
            out[o, :, j] = sum(weights[i] * value[o, :, i] for i in range(key.shape[2]))
    return out


def test_memory_read_equals_the_formula():
    key, value, query = (torch.randn(2, c, n).double() for c, n in ((5, 7), (3, 7), (5, 4)))
    torch.testing.assert_close(memory_read(key, value, query), naive_read(key, value, query))
    with torch.no_grad():
        torch.testing.assert_close(memory_read(key, value, query), naive_read(key, value, query))


def test_memory_read_in_parts_equals_the_whole(monkeypatch):
    key, value, query = (torch.randn(2, c, n).double() for c, n in ((5, 7), (3, 7), (5, 9)))
    whole = memory_read(key, value, query)
    monkeypatch.setattr("cyclevos.network.stm.memory_read._ROWS", 2)
    with torch.no_grad():
        torch.testing.assert_close(memory_read(key, value, query), whole)


@pytest.mark.parametrize("gradients", [False, True])
def test_memory_read_leaves_unknown_cells_out(gradients):
    key, value, query = (torch.randn(2, c, n).double() for c, n in ((5, 7), (3, 7), (5, 4)))
    known = torch.ones(2, 7, dtype=torch.bool)
    known[1, 4:] = False
    with torch.set_grad_enabled(gradients):
        read = memory_read(key, value, query, known)
    torch.testing.assert_close(read[1], naive_read(key[1:, :, :4], value[1:, :, :4], query[1:])[0])
    torch.testing.assert_close(read[0], naive_read(key, value, query)[0])


class Weighed(TorchDispatchMode):
    """Counts the pairs of cells that go through a softmax."""

    pairs = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "softmax" in function.name():
            self.pairs += args[0].numel()
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("gradients", [False, True])
def test_memory_read_compares_a_key_of_all_objects_once(gradients):
    key, value, query = torch.randn(1, 4, 700), torch.randn(3, 6, 700), torch.randn(1, 4, 300)
    with torch.set_grad_enabled(gradients):
        slow = memory_read(key.repeat(3, 1, 1), value, query.repeat(3, 1, 1))
        with Weighed() as weighed:
            fast = memory_read(key.expand(3, -1, -1), value, query.expand(3, -1, -1))
    assert weighed.pairs == 300 * 700
    torch.testing.assert_close(fast, slow)


def test_memory_read_names_the_shapes_it_got():
    with pytest.raises(ValueError, match=r"expected memory_key \(O,Ck,N\).*\(1, 4, 6\)"):
        memory_read(torch.zeros(1, 4, 6), torch.zeros(1, 2, 5), torch.zeros(1, 4, 3))


def test_memory_read_has_right_gradients():
    tensors = [torch.randn(1, c, n, dtype=torch.float64, requires_grad=True) for c, n in ((3, 4), (2, 4), (3, 2))]
    assert torch.autograd.gradcheck(memory_read, tensors)


@pytest.mark.parametrize("gradients", [False, True])
@pytest.mark.parametrize("own_keys", [False, True])
def test_kernel_equals_the_formula(gradients, own_keys, monkeypatch):
    kernel = ReadKernel(1.5, (3, 5))
    key, value, query = (torch.randn(2, c, n).double() for c, n in ((5, 24), (3, 24), (5, 15)))
    if not own_keys:
        key, query = key[:1].expand(2, -1, -1), query[:1].expand(2, -1, -1)
    monkeypatch.setattr("cyclevos.network.stm.memory_read._MATCHED", 10)
    with torch.set_grad_enabled(gradients):
        read = memory_read(key, value, query, kernel=kernel)
    torch.testing.assert_close(read, naive_read(key, value, query, kernel))
    assert (read - memory_read(key, value, query)).abs().max() > 0.1  # it matters


@pytest.mark.parametrize("grid", [(3, 8), (8, 3)])
@pytest.mark.parametrize("own_keys", [False, True])
@pytest.mark.parametrize("reach", [1.5, 99.0])
def test_without_gradients_cells_that_match_far_along_the_grid_are_mute(grid, own_keys, reach, monkeypatch):
    key, value, query = (torch.randn(2, c, n).double() for c, n in ((5, 90), (3, 90), (5, 24)))
    if not own_keys:
        key, query = key[:1].expand(2, -1, -1), query[:1].expand(2, -1, -1)
    monkeypatch.setattr("cyclevos.network.stm.memory_read._ROWS", 3)
    monkeypatch.setattr("cyclevos.network.stm.memory_read._TOGETHER", 1)
    monkeypatch.setattr("cyclevos.network.stm.memory_read._REACH", reach / 2)
    with torch.no_grad():
        read = memory_read(key, value, query, kernel=ReadKernel(2.0, grid))
    torch.testing.assert_close(read, naive_read(key, value, query, ReadKernel(2.0, grid), reach))


def test_where_no_known_cell_matches_nearby_all_that_are_known_vote(monkeypatch):
    key, value = torch.randn(1, 5, 6).double().expand(2, -1, -1), torch.randn(2, 3, 6).double()
    query, known = torch.randn(1, 5, 40).double().expand(2, -1, -1), torch.tensor([[True] * 6, [False] * 5 + [True]])
    monkeypatch.setattr("cyclevos.network.stm.memory_read._ROWS", 4)
    with torch.no_grad():
        read = memory_read(key, value, query, known, ReadKernel(1.0, (2, 20)))
    assert read.isfinite().all()
    torch.testing.assert_close(read[1], value[1, :, 5:].expand(-1, 40))


def test_kernel_keeps_its_precision_in_bfloat16():
    grid = (30, 52)
    kernel, n = ReadKernel(7.0, grid), grid[0] * grid[1]
    place = torch.stack(torch.meshgrid(*map(torch.arange, grid), indexing="ij"), 2).flatten(0, 1).double()
    match = torch.randperm(n)
    key, query = torch.zeros(1, 4, n), torch.zeros(1, 4, n)
    with torch.no_grad():
        confined, asked = _confined(key, query.transpose(1, 2), kernel, place[match][None])
        half, asked_half = _confined(key.bfloat16(), query.transpose(1, 2).bfloat16(), kernel, place[match][None])
    wanted = -torch.cdist(place, place[match]).square() / 98
    torch.testing.assert_close((asked @ confined)[0].double(), wanted, atol=1e-4, rtol=1e-4)
    error = ((asked_half @ half)[0].double() - wanted).abs()
    assert error[wanted > -1].max() < 0.05


@pytest.mark.parametrize("gradients", [False, True])
def test_kernel_matches_a_key_of_all_objects_once_whatever_they_may_read(gradients, monkeypatch):
    key, value, query = torch.randn(1, 4, 24), torch.randn(3, 6, 24), torch.randn(1, 4, 12)
    known, kernel = torch.rand(3, 24) > 0.5, ReadKernel(1.5, (3, 4))
    with torch.set_grad_enabled(gradients):
        slow = memory_read(key.repeat(3, 1, 1), value, query.repeat(3, 1, 1), known, kernel)
        sizes = []
        monkeypatch.setattr(
            "cyclevos.network.stm.memory_read._best_matches", lambda *a: sizes.append(len(a[0])) or _best_matches(*a)
        )
        fast = memory_read(key.expand(3, -1, -1), value, query.expand(3, -1, -1), known, kernel)
    assert sizes == [1]
    torch.testing.assert_close(fast, slow)


def test_kernel_with_gradients_has_right_ones():
    kernel = ReadKernel(1.0, (2, 2))
    tensors = [torch.randn(1, c, n, dtype=torch.float64, requires_grad=True) for c, n in ((3, 6), (2, 6), (3, 4))]
    assert torch.autograd.gradcheck(lambda k, v, q: memory_read(k, v, q, kernel=kernel), tensors)


def test_kernel_refuses_another_grid():
    with pytest.raises(ValueError, match=r"kernel over 3 query cells, got a grid of \(2, 2\)"):
        memory_read(torch.zeros(1, 4, 6), torch.zeros(1, 2, 6), torch.zeros(1, 4, 3), kernel=ReadKernel(7, (2, 2)))
