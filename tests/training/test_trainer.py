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
from safetensors.torch import load_file, save_file
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
    folder = tmp_path_factory.mktemp("whole") / "run"
    start: dict[str, torch.Tensor] = {}

    def remember(trainer: Trainer, step: int) -> None:
        # The averaged network of the first step is the trained one: its buffers and frozen stages are the start's.
        if step == 1:
            start.update({k: v.clone() for k, v in trainer.network.state_dict().items()})

    trainer, seen = train(tiny_run, folder, during=remember)
    reset_accelerate()
    return folder, trainer, seen, start


def test_a_run_learns_from_unlabelled_frames(tiny_run, training_data, tmp_path):
    few = {**tiny_run["data"], "sources": [{"root": str(training_data), "labels": "first"}]}
    _, seen = train({**tiny_run, "data": few, "steps": 2}, tmp_path / "run")
    assert len(seen) == 2
    for _, losses in seen:
        assert losses["ce"] == losses["iou"] == 0
        assert losses["total"] == pytest.approx(losses["cycle_ce"] + losses["cycle_iou"])
        assert 0 < losses["cycle_ce"] < math.inf


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
    assert [(i.width, i.height) for i in events.Images("sample/prediction")] == [(64, 64)] * 2


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


class KilledError(BaseException):
    """A kill: nothing in the code catches it."""


def train_until_killed(
    tree: dict[str, Any], folder: Path, number: int, patch: pytest.MonkeyPatch
) -> tuple[bool, list[str]]:
    """Kill a run before the n-th time after step 3 that it renames something or removes a checkpoint.

    Returns:
        Whether it was killed, and what it renamed and removed before, by name.
    """
    made: list[str] = []
    steps: list[int] = []

    def watched(name: str, real: Any) -> Any:
        def call(*args: Any, **kwargs: Any) -> Any:
            if 3 not in steps or (name == "remove" and not Path(args[0]).name.startswith("checkpoint")):
                return real(*args, **kwargs)
            if len(made) == number:
                raise KilledError
            made.append(f"{name} {Path(args[0]).name}")
            return real(*args, **kwargs)

        return call

    patch.setattr(Path, "replace", watched("rename", Path.replace))
    patch.setattr(shutil, "rmtree", watched("remove", shutil.rmtree))
    try:
        train(tree, folder, during=lambda _, step: steps.append(step))
    except KilledError:
        return True, made
    return False, made


def reset_accelerate() -> None:
    from accelerate.state import AcceleratorState, GradientState

    AcceleratorState._reset_state(True)
    GradientState._reset_state()


@pytest.mark.parametrize("start", ["nothing", "a checkpoint"])
def test_a_kill_before_any_rename_or_removal_is_repaired_by_the_same_command(whole, tiny_run, tmp_path, start):
    """The run is short: its only, or its last, checkpoint is killed at every point."""
    folder, _, _, _ = whole
    tree = tiny_run if start == "a checkpoint" else {**tiny_run, "checkpoint_every": 4}
    if start == "a checkpoint":
        train(tree, tmp_path / "start", stop_at=3)
    else:
        Trainer(TrainingConfig.model_validate(tree), tmp_path / "start")
    number, killed, made = 0, True, []
    while killed:
        run = tmp_path / f"killed {number}"
        shutil.copytree(tmp_path / "start", run)
        reset_accelerate()
        with pytest.MonkeyPatch.context() as patch:
            killed, made = train_until_killed(tree, run, number, patch)
        reset_accelerate()
        trainer, _ = train(tree, run)
        where = f"killed at {number}, after {made[-1:]}"
        assert trainer.step == 4, where
        for name in ("last.safetensors", "best.safetensors"):
            assert_same_files(folder / name, run / name)
        assert (run / "validation.jsonl").read_text() == (folder / "validation.jsonl").read_text(), where
        names = {path.name for path in run.iterdir()}
        assert names == {path.name for path in folder.iterdir()}, where
        shutil.rmtree(run)
        number += 1
    assert {"rename checkpoint.partial", "rename .last.safetensors.cyclevos.tmp"} <= set(made)


@pytest.mark.parametrize("lost", [True, False])
def test_a_finished_run_whose_last_weights_are_lost_or_stale_writes_them_again(whole, tiny_run, tmp_path, lost):
    """As versions before 0.2.0 left a run that was killed after the swap of its last checkpoint."""
    shutil.copytree(whole[0], tmp_path / "run")
    last = tmp_path / "run" / "last.safetensors"
    last.unlink()
    if not lost:
        save_file({name: tensor + 1 for name, tensor in load_file(whole[0] / last.name).items()}, last)
    _, seen = train(tiny_run, tmp_path / "run")
    assert seen == []
    assert_same_files(whole[0] / last.name, last)


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def alter(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


DAMAGE = [
    ("progress.json", cut, "damaged"),
    ("progress.json", lambda file: file.write_text("[4]"), "damaged"),
    ("progress.json", Path.unlink, "missing"),
    ("model.safetensors", cut, "damaged"),
    ("model.safetensors", Path.unlink, "missing"),
    ("optimizer.bin", cut, "damaged"),
    ("optimizer.bin", alter, "damaged"),
    ("optimizer.bin", lambda file: file.write_bytes(b""), "damaged"),
    ("average.pt", cut, "damaged"),
    ("average.pt", Path.unlink, "missing"),
    ("random_states_0.pkl", cut, "damaged"),
    ("custom_checkpoint_0.pkl", cut, "damaged"),
]


@pytest.mark.parametrize(("name", "damage", "word"), DAMAGE)
def test_a_damaged_checkpoint_is_named_with_a_remedy(whole, tiny_run, tmp_path, name, damage, word):
    shutil.copytree(whole[0], tmp_path / "run")
    checkpoint = tmp_path / "run" / "checkpoint"
    damage(checkpoint / name)
    with pytest.raises(TrainingError, match=rf"{name} is {word}") as caught:
        train(tiny_run, tmp_path / "run")
    assert caught.value.remedy == (
        f"Restore {checkpoint} from a backup, or remove {checkpoint} to train from the start."
    )


def test_the_remedy_for_a_damaged_checkpoint_works(whole, tiny_run, tmp_path):
    folder, _, seen, _ = whole
    shutil.copytree(folder, tmp_path / "run")
    shutil.rmtree(tmp_path / "run" / "checkpoint")
    _, again = train(tiny_run, tmp_path / "run")
    assert again == seen
    assert (tmp_path / "run" / "validation.jsonl").read_text() == (folder / "validation.jsonl").read_text()
    assert_same_files(folder / "last.safetensors", tmp_path / "run" / "last.safetensors")


def test_a_whole_older_checkpoint_is_used_if_the_newer_one_is_damaged(whole, tiny_run, tmp_path, caplog):
    folder, _, seen, _ = whole
    train(tiny_run, tmp_path / "run", stop_at=3)
    checkpoint = tmp_path / "run" / "checkpoint"
    checkpoint.rename(tmp_path / "run" / "checkpoint.old")
    shutil.copytree(folder / "checkpoint", checkpoint)
    cut(checkpoint / "optimizer.bin")
    reset_accelerate()
    _, rest = train(tiny_run, tmp_path / "run")
    assert rest == seen[2:]
    assert "optimizer.bin is damaged" in caplog.text
    assert (tmp_path / "run" / "checkpoint.damaged" / "optimizer.bin").is_file()
    assert_same_files(folder / "last.safetensors", tmp_path / "run" / "last.safetensors")


def test_two_damaged_checkpoints_are_both_named(whole, tiny_run, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    shutil.copytree(whole[0] / "checkpoint", tmp_path / "run" / "checkpoint.old")
    for name in ("checkpoint", "checkpoint.old"):
        cut(tmp_path / "run" / name / "optimizer.bin")
    with pytest.raises(TrainingError, match=r"checkpoint/optimizer\.bin is damaged.*remove .* and .*checkpoint\.old"):
        train(tiny_run, tmp_path / "run")


def test_a_checkpoint_of_an_earlier_version_is_continued(whole, tiny_run, tmp_path):
    """It does not list its files."""
    shutil.copytree(whole[0], tmp_path / "run")
    file = tmp_path / "run" / "checkpoint" / "progress.json"
    record = json.loads(file.read_text())
    assert {"model.safetensors", "optimizer.bin", "average.pt"} <= set(record.pop("files"))
    file.write_text(json.dumps(record))
    assert train(tiny_run, tmp_path / "run")[1] == []


def test_a_checkpoint_that_does_not_fit_is_an_error_of_training(whole, tiny_run, tmp_path):
    shutil.copytree(whole[0], tmp_path / "run")
    save_file({"other": torch.zeros(3)}, tmp_path / "run" / "checkpoint" / "model.safetensors")
    with pytest.raises(TrainingError, match=r"checkpoint cannot be loaded \(.*remove"):
        train(tiny_run, tmp_path / "run")


def test_colleagues_can_read_a_checkpoint(whole):
    files = list((whole[0] / "checkpoint").iterdir())
    assert len({file.stat().st_mode for file in files}) == 1


@pytest.mark.parametrize("content", [b"", b'{"network": {', b"\xff\xfe\x00"])
def test_a_damaged_configuration_is_named_and_the_run_can_be_kept(whole, tiny_run, tmp_path, content):
    shutil.copytree(whole[0], tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    file.write_bytes(content)
    with pytest.raises(OutputError, match=r"config\.json is damaged.*backup.*delete this file only.*--output"):
        train(tiny_run, tmp_path / "run")
    file.unlink()
    assert train(tiny_run, tmp_path / "run")[1] == []
    assert file.read_text() == (whole[0] / "config.json").read_text()


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
