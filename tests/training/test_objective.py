"""The cyclic objective: which terms there are, what they ask for, and where gradients go."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cyclevos.losses import mask_loss
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.training.objective import CyclicObjective, ObjectiveConfig

SLOTS, SIZE = 2, 32


class Recorder:
    """Keeps what a network's ``segment`` was asked for and what it answered."""

    def __init__(self, network: SpaceTimeMemoryNetwork) -> None:
        self.logits: list[Tensor] = []
        self.present: list[list[list[bool]]] = []
        self.cells: list[int] = []
        self._segment = network.segment
        network.segment = self.segment  # type: ignore[method-assign]

    def segment(self, query, memory, present, state=None):
        answer = self._segment(query, memory, present, state)
        logits = answer.logits
        if logits.requires_grad:
            logits.retain_grad()
        self.logits.append(logits)
        self.present.append(present.tolist())
        self.cells.append(memory.key.shape[2])
        return answer


@pytest.fixture
def network(tiny_spec) -> SpaceTimeMemoryNetwork:
    return SpaceTimeMemoryNetwork(tiny_spec).train()


@pytest.fixture
def frames() -> Tensor:
    return torch.randint(0, 256, (1, 3, 3, SIZE, SIZE), dtype=torch.uint8)


@pytest.fixture
def labels() -> Tensor:
    labels = torch.zeros(1, 3, SIZE, SIZE, dtype=torch.uint8)
    for t in range(3):
        labels[0, t, 2:14, 2 + t : 14 + t] = 1
        labels[0, t, 16:30, 16 - t : 30 - t] = 2
    return labels


def objective(network, **config) -> CyclicObjective:
    return CyclicObjective(network, ObjectiveConfig(**config))


def test_total_is_the_sum_of_all_terms_over_the_forward_terms(network, frames, labels):
    recorder = Recorder(network)
    losses, predicted = objective(network, cycle_weight=0.5)(frames, labels, SLOTS)
    both = torch.ones(1, SLOTS, dtype=torch.bool)
    targets = [labels[:, t].long() for t in (1, 0, 2, 0)]  # forward, cycle, forward, cycle
    terms = [mask_loss(x, y, both) for x, y in zip(recorder.logits, targets, strict=True)]
    forward, cycle = terms[::2], terms[1::2]
    expected = {
        "ce": sum(t.cross_entropy for t in forward) / 2,
        "iou": sum(t.iou for t in forward) / 2,
        "cycle_ce": 0.5 * sum(t.cross_entropy for t in cycle) / 2,
        "cycle_iou": 0.5 * sum(t.iou for t in cycle) / 2,
    }
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value)
    torch.testing.assert_close(losses["total"], sum(expected.values()))
    assert torch.equal(predicted, torch.stack(recorder.logits[::2], dim=1).detach())
    cells = (SIZE // 16) ** 2
    assert recorder.cells == [cells, cells, 2 * cells, cells]  # cyclic terms read one frame alone


def test_without_the_cycle_there_are_no_cyclic_terms_and_the_forward_ones_are_the_same(network, frames, labels):
    cyclic, logits = objective(network)(frames, labels, SLOTS)
    plain, plain_logits = objective(network, cycle=False)(frames, labels, SLOTS)
    assert set(plain) == {"ce", "iou", "total"}
    torch.testing.assert_close(plain["ce"], cyclic["ce"])
    torch.testing.assert_close(plain["iou"], cyclic["iou"])
    torch.testing.assert_close(logits, plain_logits)


def test_cycle_from_the_last_frame_alone(network, frames, labels):
    recorder = Recorder(network)
    objective(network, cycle_frames="last")(frames, labels, SLOTS)
    cells = (SIZE // 16) ** 2
    assert recorder.cells == [cells, 2 * cells, cells]


def test_an_object_that_left_a_frame_is_not_asked_for_from_it(network, frames, labels):
    labels[0, 1][labels[0, 1] == 2] = 0
    recorder = Recorder(network)
    objective(network)(frames, labels, SLOTS)
    assert recorder.present == [[[True, True]], [[True, False]], [[True, True]], [[True, True]]]


def test_clips_of_different_objects_share_a_batch(network, frames, labels):
    lonely = torch.where(labels == 2, 0, labels)
    recorder = Recorder(network)
    losses, _ = objective(network)(frames.repeat(2, 1, 1, 1, 1), torch.cat([labels, lonely]), SLOTS)
    assert recorder.present[0] == [[True, True], [True, False]]
    alone = [objective(network)(frames, each, SLOTS)[0] for each in (labels, lonely)]
    expected = (alone[0]["total"] + alone[1]["total"]) / 2
    torch.testing.assert_close(losses["total"], expected, rtol=1e-4, atol=1e-4)


def test_an_object_that_comes_later_is_background(network, frames, labels):
    labels[0, 0][labels[0, 0] == 2] = 0
    without = torch.where(labels == 2, 0, labels)
    late, _ = objective(network)(frames, labels, SLOTS)
    never, _ = objective(network)(frames, without, SLOTS)
    torch.testing.assert_close(late["total"], never["total"])


def test_gradients_reach_the_second_frame_through_its_predicted_mask(network, frames, labels):
    labels[0, 1] = 255  # the second frame has no loss of its own
    recorder = Recorder(network)
    losses, _ = objective(network, cycle=False)(frames, labels, SLOTS)
    losses["total"].backward()
    second, third = recorder.logits
    assert third.grad.abs().sum() > 0
    assert second.grad.abs().sum() > 0


@pytest.mark.parametrize("config", [{}, {"cycle_frames": "last"}, {"cycle": False}])
def test_every_parameter_is_used(network, frames, labels, config):
    """So that data parallelism needs no search for unused ones."""
    losses, _ = objective(network, **config)(frames, labels, SLOTS)
    losses["total"].backward()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_permuting_slots_changes_nothing(network, frames, labels):
    swapped = torch.tensor([0, 2, 1], dtype=torch.uint8)[labels.long()]
    straight, _ = objective(network)(frames, labels, SLOTS)
    permuted, _ = objective(network)(frames, swapped, SLOTS)
    for name, value in straight.items():
        torch.testing.assert_close(permuted[name], value, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("filling", [0, 255])
def test_targets_without_objects_work(network, frames, labels, filling):
    labels[0, 1:] = filling
    losses, _ = objective(network)(frames, labels, SLOTS)
    assert set(losses) == {"ce", "iou", "total"}  # nobody is left to ask for
    losses["total"].backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters())


def test_an_empty_slot_changes_nothing(network, frames, labels):
    two, _ = objective(network)(frames, labels, 2)
    three, _ = objective(network)(frames, labels, 3)
    torch.testing.assert_close(three["total"], two["total"], rtol=1e-4, atol=1e-5)


def test_batch_norm_statistics_stay(network, frames, labels):
    before = {name: b.clone() for name, b in network.named_buffers()}
    objective(network).train()(frames, labels, SLOTS)
    assert all(torch.equal(before[name], b) for name, b in network.named_buffers())


@pytest.mark.parametrize("name", ["query_key.weight", "memory_value.bias", "decoder.prediction.weight"])
def test_gradient_by_differences(network, frames, labels, name):
    network.double()
    trained = objective(network)
    parameter = dict(network.named_parameters())[name]
    trained(frames, labels, SLOTS)[0]["total"].backward()
    at = parameter.grad.abs().argmax()  # where it matters most
    expected, flat, step = parameter.grad.flatten()[at], parameter.detach().view(-1), 1e-6
    totals = []
    for sign in (1, -1):
        flat[at] += sign * step
        with torch.no_grad():
            totals.append(trained(frames, labels, SLOTS)[0]["total"])
        flat[at] -= sign * step
    torch.testing.assert_close((totals[0] - totals[1]) / (2 * step), expected, rtol=1e-4, atol=1e-7)
