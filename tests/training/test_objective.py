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
    """Keeps what a network's ``segment`` was asked for and what it answered; slots in ``hidden`` are never found."""

    def __init__(self, network: SpaceTimeMemoryNetwork, hidden: tuple[int, ...] = ()) -> None:
        self.hidden = hidden
        self.logits: list[Tensor] = []
        self.present: list[list[list[bool]]] = []
        self.cells: list[int] = []
        self._segment = network.segment
        network.segment = self.segment  # type: ignore[method-assign]

    def segment(self, query, memory, present, state=None):
        answer = self._segment(query, memory, present, state)
        logits = answer.logits
        if self.hidden:
            shift = torch.zeros(logits.shape[1]).index_fill(0, torch.tensor(self.hidden), -99)
            logits = logits + shift[:, None, None]
            answer = answer._replace(logits=logits)
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


def unlabel(labels: Tensor) -> Tensor:
    """The first frame's labels alone."""
    labels = labels.clone()
    labels[:, 1:] = 255
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


@pytest.mark.parametrize("cycle_frames", ["all", "last"])
def test_without_unlabelled_frames_every_bit_is_as_the_paper_says(network, frames, labels, cycle_frames):
    """The sums in the order in which they were taken before there were unlabelled frames."""
    other = torch.where(labels == 2, 0, labels)
    labels[0, 1][labels[0, 1] == 2] = 0  # leaves frame 1
    batch = torch.cat([labels, other])
    recorder = Recorder(network)
    losses, _ = objective(network, cycle_frames=cycle_frames)(frames.repeat(2, 1, 1, 1, 1), batch, SLOTS)
    steps = [(1, False), (1, True), (2, False), (2, True)]  # frame, whether the term is cyclic
    steps = [step for step in steps if cycle_frames == "all" or step != (1, True)]
    terms: dict[bool, list] = {False: [], True: []}
    for logits, asked, (t, cyclic) in zip(recorder.logits, recorder.present, steps, strict=True):
        counted = torch.tensor(asked)
        target = batch[:, 0 if cyclic else t].long()
        terms[cyclic].append(mask_loss(logits, target, counted, 0.4, counted.any(dim=1).sum().float()))
    parts = [torch.stack([term[part] for term in terms[cyclic]]).sum() / 2 for cyclic in terms for part in (0, 1)]
    assert [losses[name].item() for name in ("ce", "iou", "cycle_ce", "cycle_iou")] == [p.item() for p in parts]
    assert torch.equal(losses["total"], torch.stack(parts).sum())
    assert recorder.present[0] == [[True, True], [True, False]]


@pytest.mark.parametrize("cycle_frames", ["all", "last"])
def test_unlabelled_frames_have_cyclic_terms_alone(network, frames, labels, cycle_frames):
    unlabelled = unlabel(labels)
    losses, _ = objective(network, cycle_frames=cycle_frames)(frames, unlabelled, SLOTS)
    expected, _ = objective(network, cycle_frames=cycle_frames)(frames, labels, SLOTS)
    assert losses["ce"] == losses["iou"] == 0
    assert torch.equal(losses["cycle_ce"], expected["cycle_ce"])  # all objects are asked for in both
    assert torch.equal(losses["total"], losses["cycle_ce"] + losses["cycle_iou"])
    losses["total"].backward()
    assert all(bool(torch.isfinite(p.grad).all()) for p in network.parameters())
    assert max(float(p.grad.abs().max()) for p in network.parameters()) > 0


def test_forward_terms_of_a_mixed_batch_are_those_of_its_labelled_frames(network, frames, labels):
    half = labels.clone()
    half[:, 2] = 255
    one, two = frames, frames.flip(-1)
    alone = [objective(network)(one, half, SLOTS)[0], objective(network)(two, unlabel(labels), SLOTS)[0]]
    mixed, _ = objective(network)(torch.cat([one, two]), torch.cat([half, unlabel(labels)]), SLOTS)
    recorder = Recorder(network)
    objective(network, cycle=False)(one, half, SLOTS)
    only = mask_loss(recorder.logits[0], labels[:, 1].long(), torch.ones(1, SLOTS, dtype=torch.bool))
    torch.testing.assert_close(mixed["ce"], only.cross_entropy, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(mixed["iou"], alone[0]["iou"], rtol=1e-4, atol=1e-5)
    for part in ("cycle_ce", "cycle_iou"):
        expected = (alone[0][part] + alone[1][part]) / 2
        torch.testing.assert_close(mixed[part], expected, rtol=1e-4, atol=1e-5)


def test_what_vanishes_from_an_unlabelled_frame_is_not_asked_for_from_it(network, frames, labels):
    recorder = Recorder(network, hidden=(2,))
    both = [[True, True]]
    objective(network)(frames, unlabel(labels), SLOTS)
    assert recorder.present == [both, [[True, False]], both, [[True, False]]]
    recorder.present.clear()
    objective(network)(frames, labels, SLOTS)  # with labels, it is known to be there
    assert recorder.present == [both, both, both, both]


def test_the_least_area_is_a_share_of_the_first_one(network, frames, labels):
    labels[0, 0, :, :16], labels[0, 0, :, 16:] = 1, 2
    recorder = Recorder(network)
    objective(network, cycle_frames="last")(frames, unlabel(labels), SLOTS)
    shares = recorder.logits[1].detach().softmax(dim=1)[0, 1:].sum(dim=(1, 2)) / (16 * SIZE)
    recorder.present.clear()
    objective(network, cycle_frames="last", least_area=float(shares.mean()))(frames, unlabel(labels), SLOTS)
    assert recorder.present[2] == [(shares >= shares.mean()).tolist()]
    assert sorted(recorder.present[2][0]) == [False, True]


def test_nothing_is_learnt_where_all_objects_vanish_from_unlabelled_frames(network, frames, labels):
    Recorder(network, hidden=(1, 2))
    losses, _ = objective(network)(frames, unlabel(labels), SLOTS)
    assert {name: float(value.detach()) for name, value in losses.items()} == {"ce": 0, "iou": 0, "total": 0}
    losses["total"].backward()
    assert all(float(p.grad.abs().max()) == 0 for p in network.parameters())


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


def test_targets_without_objects_work(network, frames, labels):
    labels[0, 1:] = 0
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


@pytest.mark.parametrize(
    ("name", "first_alone"),
    [
        ("query_key.weight", False),
        ("memory_value.bias", False),
        ("decoder.prediction.weight", False),
        ("memory_value.bias", True),
    ],
)
def test_gradient_by_differences(network, frames, labels, name, first_alone):
    network.double()
    labels = unlabel(labels) if first_alone else labels
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
