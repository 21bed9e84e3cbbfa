"""The training engine: real runs of four steps on a generated data set."""

from __future__ import annotations

import builtins
import json
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cyclevos.errors import ConfigError, DatasetError, MissingExtraError, OutputError, TrainingError
from cyclevos.network.weights import load_network
from cyclevos.training.schema import TrainingConfig
from cyclevos.training.trainer import Trainer


class StoppedError(Exception):
    """What an impatient user does."""


def train(tree: dict[str, Any], folder: Path, stop_at: int | None = None, during: Any = None) -> tuple[Trainer, list]:
    seen: list[tuple[int, dict[str, float]]] = []
    trainer = Trainer(TrainingConfig.model_validate(tree), folder)

    def progress(step: int, losses: dict[str, float]) -> None:
        seen.append((step, losses))
        if during is not None:
            during(trainer, step)
        if step == stop_at:
            raise StoppedError

    if stop_at is None:
        trainer.run(progress)
    else:
        with pytest.raises(StoppedError):
            trainer.run(progress)
    return trainer, seen


def assert_same_files(one: Path, other: Path) -> None:
    tensors, others = load_file(one), load_file(other)
    assert set(tensors) == set(others)
    assert [name for name in tensors if not torch.equal(tensors[name], others[name])] == []


@pytest.fixture(scope="module")
def whole(tiny_run, tmp_path_factory):
    """A run that nobody stopped, with its folder and losses."""
    from accelerate.state import AcceleratorState, GradientState

    folder = tmp_path_factory.mktemp("whole") / "run"
    start: dict[str, torch.Tensor] = {}

    def remember(trainer: Trainer, step: int) -> None:
        # The averaged network of the first step is the trained one: its buffers and frozen stages are the start's.
        if step == 1:
            start.update({k: v.clone() for k, v in trainer.network.state_dict().items()})

    trainer, seen = train(tiny_run, folder, during=remember)
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    return folder, trainer, seen, start


def test_losses_are_finite_and_named(whole):
    _, _, seen, _ = whole
    assert [step for step, _ in seen] == [1, 2, 3, 4]
    for _, losses in seen:
        assert {"ce", "iou", "total"} <= set(losses)
        assert all(math.isfinite(value) for value in losses.values())


def test_what_a_run_leaves_behind(whole, tiny_run):
    folder, _, _, _ = whole
    names = {path.name for path in folder.iterdir()}
    assert {"config.json", "checkpoint", "last.safetensors", "best.safetensors", "validation.jsonl"} <= names
    assert not [name for name in names if name.endswith((".partial", ".old"))]
    assert TrainingConfig.model_validate_json((folder / "config.json").read_text()) == TrainingConfig.model_validate(
        tiny_run
    )
    network = load_network(folder / "best.safetensors", device="cpu")
    assert network.spec.size == 32
    lines = [json.loads(line) for line in (folder / "validation.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines] == [3, 4]
    assert all(0 <= line["J"] <= 1 and list(line["sequences"]) == ["held"] for line in lines)


def test_curves_and_pictures_are_logged(whole):
    folder, _, seen, _ = whole
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    totals = events.Scalars("loss/total")
    assert [event.step for event in totals] == [1, 2, 3, 4]
    assert [event.value for event in totals] == pytest.approx([losses["total"] for _, losses in seen])
    assert events.Scalars("lr")[0].value > 0
    assert [event.step for event in events.Scalars("validation/J")] == [3, 4]
    assert [(i.width, i.height) for i in events.Images("clip/prediction")] == [(64, 64)] * 2


def test_frozen_stages_and_batch_norm_statistics_stay(whole):
    _, trainer, _, start = whole
    after = trainer.network.state_dict()
    changed = {name for name in after if not torch.equal(after[name], start[name])}
    frozen = ("query_encoder.model.conv_stem", "query_encoder.model.bn1", "query_encoder.model.blocks.1.")
    assert not [name for name in changed if name.startswith(frozen)]
    assert not [name for name in changed if name.endswith(("running_mean", "running_var"))]
    assert any(name.startswith("query_encoder.model.blocks.2.") for name in changed)
    assert any(name.startswith("memory_encoder.model.conv_stem") for name in changed)


def test_the_trained_network_is_not_the_averaged_one(whole):
    _, trainer, _, _ = whole
    trained = trainer.accelerator.unwrap_model(trainer.objective).network
    assert trained is not trainer.network
    assert trained.training
    assert not any(p.requires_grad for p in trainer.network.parameters())


def test_the_average_warms_up(tiny_run, tmp_path):
    """After step n the average moved by 1 - min(decay, (1+n)/(10+n)) towards the weights."""
    trainer = Trainer(TrainingConfig.model_validate(tiny_run), tmp_path / "run")
    trained = trainer.accelerator.unwrap_model(trainer.objective).network
    name, parameter = next((n, p) for n, p in trained.named_parameters() if p.requires_grad)
    averaged = dict(trainer.network.named_parameters())[name]
    expected = None
    for n, value in enumerate((1.0, 2.0, 4.0)):
        with torch.no_grad():
            parameter.fill_(value)
        trainer.average.update_parameters(trained)
        decay = min(0.9, (1 + n) / (10 + n))
        expected = value if expected is None else decay * expected + (1 - decay) * value
        torch.testing.assert_close(averaged, torch.full_like(averaged, expected))


@pytest.mark.parametrize(("stop_at", "between_renames"), [(2, False), (3, True)])
def test_a_stopped_run_goes_on_as_if_nothing_had_happened(whole, tiny_run, tmp_path, stop_at, between_renames):
    folder, _, seen, _ = whole
    train(tiny_run, tmp_path / "run", stop_at=stop_at)
    if between_renames:  # of a checkpoint's swap
        (tmp_path / "run" / "checkpoint").rename(tmp_path / "run" / "checkpoint.old")
    _, rest = train(tiny_run, tmp_path / "run")
    assert rest == seen[2:]  # the checkpoint is that of step 2 in both cases
    for name in ("last.safetensors", "best.safetensors"):
        assert_same_files(folder / name, tmp_path / "run" / name)
    for name in ("average.pt", "optimizer.bin"):
        assert_same_state(folder / "checkpoint" / name, tmp_path / "run" / "checkpoint" / name)
    assert (tmp_path / "run" / "validation.jsonl").read_text() == (folder / "validation.jsonl").read_text()
    assert not (tmp_path / "run" / "checkpoint.old").exists()


@pytest.mark.parametrize("end", ['{"step": 3, "J": 0.', "garbage\n", '{"step": "none"}\n[]\n\x00\x00'])
def test_a_validation_line_that_was_cut_off_does_not_keep_a_run_from_going_on(whole, tiny_run, tmp_path, end):
    folder, _, _, _ = whole
    train(tiny_run, tmp_path / "run", stop_at=3)
    with (tmp_path / "run" / "validation.jsonl").open("a") as file:
        file.write(end)
    train(tiny_run, tmp_path / "run")
    assert (tmp_path / "run" / "validation.jsonl").read_text() == (folder / "validation.jsonl").read_text()


def assert_same_state(one: Path, other: Path) -> None:
    def flat(value: Any) -> list[Any]:
        if isinstance(value, dict):
            return [item for key in value for item in flat(value[key])]
        return [item for each in value for item in flat(each)] if isinstance(value, list | tuple) else [value]

    pairs = [flat(torch.load(path, weights_only=True)) for path in (one, other)]
    for a, b in zip(*pairs, strict=True):
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b


def test_a_loss_that_is_not_finite_names_its_parts_and_keeps_the_checkpoint(tiny_run, tmp_path):
    def poison(trainer: Trainer, step: int) -> None:
        if step == 2:
            network = trainer.accelerator.unwrap_model(trainer.objective).network
            with torch.no_grad():
                network.query_key.weight[0, 0, 0, 0] = math.nan

    with pytest.raises(TrainingError, match=r"step 3 is not finite: ce=.*iou=.*total=nan.*checkpoint") as caught:
        train(tiny_run, tmp_path / "run", during=poison)
    assert "optimiser.lr" in str(caught.value)
    assert json.loads((tmp_path / "run" / "checkpoint" / "progress.json").read_text())["step"] == 2
    assert all(bool(t.isfinite().all()) for t in load_file(tmp_path / "run" / "last.safetensors").values())


def test_a_plain_run_without_average_and_validation_returns_the_last_weights(tiny_run, tmp_path):
    tree = {**tiny_run, "steps": 1, "validation": {}, "optimiser": {}}
    trainer = Trainer(TrainingConfig.model_validate(tree), tmp_path / "run")
    assert trainer.run() == tmp_path / "run" / "last.safetensors"
    saved = load_file(tmp_path / "run" / "last.safetensors")
    trained = trainer.accelerator.unwrap_model(trainer.objective).network.state_dict()
    assert all(torch.equal(saved[name], trained[name]) for name in saved)


@pytest.mark.parametrize(
    ("section", "other"),
    [("seed", 1), ("network", {"changes": {"similarity": "dot"}})],  # a default, but set: a network's own may differ
)
def test_a_folder_of_another_run_is_refused(whole, tiny_run, section, other):
    folder, _, _, _ = whole
    before = (folder / "config.json").read_text()
    if isinstance(other, dict):
        other = {**tiny_run[section], **other}
    with pytest.raises(OutputError, match=rf"another configuration \(different: {section}\).*--output"):
        Trainer(TrainingConfig.model_validate({**tiny_run, section: other}), folder)
    assert (folder / "config.json").read_text() == before


def test_a_file_in_the_folders_place_is_refused(tiny_run, tmp_path):
    (tmp_path / "run").write_text("")
    with pytest.raises(OutputError, match="cannot hold a training run"):
        Trainer(TrainingConfig.model_validate(tiny_run), tmp_path / "run")


def test_a_run_that_cannot_start_takes_no_folder(tiny_run, tmp_path):
    wrong = {**tiny_run, "data": {**tiny_run["data"], "sources": [{"root": str(tmp_path / "nowhere")}]}}
    with pytest.raises(DatasetError, match="nowhere"):
        Trainer(TrainingConfig.model_validate(wrong), tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("validation", "error", "message"),
    [
        ({"sequences": []}, ConfigError, r"validation\.sequences"),
        ({"sequences": ["hold"]}, DatasetError, "held"),
        ({"root": "nowhere"}, DatasetError, "nowhere"),
    ],
)
def test_wrong_validation_is_said_before_the_first_step(tiny_run, tmp_path, validation, error, message):
    wrong = {**tiny_run, "validation": {**tiny_run["validation"], **validation}}
    with pytest.raises(error, match=message):
        Trainer(TrainingConfig.model_validate(wrong), tmp_path / "run")


def test_a_finished_run_has_nothing_left_to_do(whole, tiny_run, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    _, seen = train(tiny_run, tmp_path / "run")
    assert seen == []


def test_another_number_of_processes_is_refused(whole, tiny_run, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    file = tmp_path / "run" / "checkpoint" / "progress.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "processes": 4}))
    with pytest.raises(TrainingError, match="4 processes"):
        train(tiny_run, tmp_path / "run")


@pytest.mark.parametrize("missing", ["accelerate", "tensorboard"])
def test_a_missing_extra_is_named_with_its_remedy(tiny_run, tmp_path, monkeypatch, missing):
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name == missing:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=rf"{missing}.*pip install 'cyclevos\[train\]'"):
        Trainer(TrainingConfig.model_validate(tiny_run), tmp_path / "run")


def test_batches_keep_their_type_on_the_way_through_accelerate(tiny_run, tmp_path):
    from cyclevos.datasets.clips import ClipBatch

    trainer = Trainer(TrainingConfig.model_validate(tiny_run), tmp_path / "run")
    batch = next(iter(trainer._loader()))
    assert isinstance(batch, ClipBatch)
    assert batch.frames.device == trainer.accelerator.device
    assert batch.frames.dtype == torch.uint8
    assert isinstance(batch.slots, int)
    trainer.step = 3
    last = next(iter(trainer._loader()))
    assert torch.equal(last.frames[0].cpu(), trainer.dataset[6][0])
