"""Training a prompt network: it learns, resumes, holds back what validates it, and says what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cyclevos.errors import ConfigError, OutputError
from cyclevos.labels import IGNORE
from cyclevos.prompts.network import PromptNetwork
from cyclevos.prompts.spec import PromptSpec
from cyclevos.prompts.weights import load_prompt_network, save_prompt_network
from cyclevos.training.config import load_config
from cyclevos.training.dry_run import dry_run
from cyclevos.training.prompt_objective import PromptObjective, PromptObjectiveConfig
from cyclevos.training.prompt_schema import PromptTrainingConfig
from cyclevos.training.prompt_setup import build_prompt_dataset, build_prompt_network, build_prompt_validation
from cyclevos.training.trainer import Trainer

SPEC = {"size": 64, "widths": [8, 16, 32], "blocks": 1, "context": False}


@pytest.fixture
def run(training_data: Path) -> dict[str, Any]:
    return {
        "trains": "prompts",
        "network": {"spec": SPEC, "trunk_from": None},
        "data": {
            "sources": [{"root": str(training_data)}, {"kind": "still", "root": str(training_data / "still")}],
            "draws": {"size": 64, "min_pixels": 16},
            "motion": {"elastic": 0},
            "hold_back_every": 2,
            "workers": 0,
        },
        "optimiser": {"name": "adamw", "lr": 1e-3, "ema": 0.9},
        "validation": {"sequences": ["held"], "objects": 2, "every": 2},
        "steps": 4,
        "batch": 2,
        "checkpoint_every": 2,
        "log_every": 1,
    }


@pytest.fixture(autouse=True)
def _one_still_more(training_data):
    """With two stills, one is held back and one is left."""
    for folder, ending in (("images", "jpg"), ("masks", "png")):
        copy = training_data / "still" / folder / f"b.{ending}"
        if not copy.exists():
            copy.write_bytes((training_data / "still" / folder / f"a.{ending}").read_bytes())


def parsed(tree: dict[str, Any]) -> PromptTrainingConfig:
    return PromptTrainingConfig.model_validate(tree)


def test_a_run_that_was_stopped_ends_with_the_same_weights(run, tmp_path):
    Trainer(parsed(run), tmp_path / "whole").run()

    class StoppedError(Exception):
        pass

    def stop(step: int, losses: dict[str, float]) -> None:
        assert set(losses) == {"ce", "focal", "iou", "total"}
        if step == 3:
            raise StoppedError

    with pytest.raises(StoppedError):
        Trainer(parsed(run), tmp_path / "parts").run(stop)
    best = Trainer(parsed(run), tmp_path / "parts").run()
    whole, parts = (load_prompt_network(tmp_path / each / "last.safetensors") for each in ("whole", "parts"))
    for (name, a), (_, b) in zip(whole.state_dict().items(), parts.state_dict().items(), strict=True):
        assert torch.equal(a, b), name
    assert best.name == "best.safetensors"
    rows = [json.loads(line) for line in (tmp_path / "parts" / "validation.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 4]
    prompts = ("box", "1 click", "2 clicks", "3 clicks")
    assert set(rows[0]["sequences"]) == {f"{kind}, {each}" for kind in ("video", "still") for each in prompts}


def test_a_folder_of_another_run_is_refused(run, tmp_path):
    Trainer(parsed(run), tmp_path / "run")
    with pytest.raises(OutputError, match="different: seed"):
        Trainer(parsed({**run, "seed": 5}), tmp_path / "run")


@pytest.mark.parametrize(("stride", "kept"), [(0, set()), (4, {"conv_stem", "blocks.0", "blocks.1"}), (32, {"all"})])
def test_the_frozen_stages_of_the_trunk_stay_and_the_others_are_trained(run, tmp_path, stride, kept):
    tree = {**run, "network": {**run["network"], "freeze_until_stride": stride}, "optimiser": {"lr": 1e-3}}
    trainer = Trainer(parsed({**tree, "steps": 1}), tmp_path / "run")
    before = {name: p.clone() for name, p in trainer.network.named_parameters()}
    trainer.run()
    changed = {name for name, p in trainer.network.named_parameters() if not torch.equal(p, before[name])}
    stages = {name.removeprefix("trunk.model.") for name in changed if name.startswith("trunk.model.")}
    assert bool(stages) == (kept != {"all"})
    assert not [name for name in stages if name.startswith(tuple(kept))]
    assert "coarse.weight" in changed


def test_what_validates_is_not_trained_on(run):
    samples = build_prompt_dataset(parsed(run), 1)
    assert {s.name for s in samples.mixture.sources[0].sequences} == {"one", "two"}
    validation = build_prompt_validation(parsed(run))
    assert [s.name for s in validation["video"].mixture.sources[0].sequences] == ["held"]
    trained = {mask for _, mask in samples.mixture.sources[1].pairs}
    held = {mask for _, mask in validation["still"].mixture.sources[0].pairs}
    assert trained
    assert held
    assert not trained & held


def test_a_trunk_comes_from_a_network_or_from_a_run(run, tmp_path):
    network = {"spec": {**SPEC, "context": True}, "trunk_from": "default"}
    started = build_prompt_network(parsed({**run, "network": network}).network)
    from cyclevos.network.weights import load_network

    whole = load_network("default", device="cpu", dtype="float32").query_encoder.state_dict()
    assert all(torch.equal(tensor, whole[name]) for name, tensor in started.trunk.state_dict().items())
    Trainer(parsed({**run, "steps": 1}), tmp_path / "run").run()
    file = tmp_path / "run" / "last.safetensors"
    further = {**run["network"], "init_from": str(file)}
    again = build_prompt_network(parsed({**run, "network": further}).network)
    assert torch.equal(again.coarse.weight, load_prompt_network(file).coarse.weight)
    larger = build_prompt_network(parsed({**run, "network": {**further, "spec": {**SPEC, "size": 96}}}).network)
    assert larger.spec.size == 96
    assert torch.equal(larger.coarse.weight, again.coarse.weight)
    other = {**further, "spec": {**SPEC, "blocks": 2}}
    with pytest.raises(ConfigError, match="the weights are for"):
        build_prompt_network(parsed({**run, "network": other}).network)


def test_a_decoder_comes_from_a_network_with_another_trunk(run, tmp_path):
    torch.manual_seed(3)
    source = PromptNetwork(PromptSpec.model_validate({**SPEC, "trunk": "resnet18", "size": 96}))
    save_prompt_network(source, tmp_path / "source.safetensors")
    network = {**run["network"], "decoder_from": str(tmp_path / "source.safetensors")}
    started = build_prompt_network(parsed({**run, "network": network}).network)
    given, own = source.state_dict(), started.state_dict()
    joins = {f"{part}.{n}.weight" for part in ("scales", "lateral") for n in range(3)}
    apart = {name for name in own if not name.startswith("trunk.") and not torch.equal(own[name], given.get(name))}
    assert apart - {"position", "mean", "std"} <= joins | {name.replace("weight", "bias") for name in joins}
    assert own["position"].shape[-1] == 4
    with pytest.raises(
        ConfigError, match=r"decoder_from .*the decoder is that of .*blocks=1.*, the run has .*blocks=2"
    ):
        build_prompt_network(parsed({**run, "network": {**network, "spec": {**SPEC, "blocks": 2}}}).network)
    with pytest.raises(ValueError, match="init_from gives the decoder, too"):
        parsed({**run, "network": {**network, "init_from": network["decoder_from"]}})


def test_a_dry_run_counts_samples_and_writes_nothing(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    estimate = dry_run(parsed(run))
    assert estimate.samples == 2
    assert estimate.sources[0].endswith("2 sequences, 10 annotated frames, 50.0% of the samples")
    assert estimate.trained > 10_000
    assert list(tmp_path.iterdir()) == []


def test_presets_say_what_they_train():
    first, closer = load_config("prompt"), load_config("prompt-closer")
    assert isinstance(first, PromptTrainingConfig)
    assert isinstance(closer, PromptTrainingConfig)
    assert closer.data.draws.size > first.data.draws.size
    assert closer.network.spec == first.network.spec
    assert closer.data.sources == first.data.sources
    with pytest.raises(ConfigError, match=r"unknown key 'data.draws.margins'; did you mean 'margin'"):
        load_config("prompt", ["data.draws.margins=[1,2]"])


class TestObjective:
    @pytest.fixture
    def batch(self) -> tuple[torch.Tensor, ...]:
        torch.manual_seed(0)
        images = torch.randint(0, 255, (2, 3, 64, 64), dtype=torch.uint8)
        targets = torch.zeros(2, 64, 64, dtype=torch.uint8)
        targets[:, 10:40, 10:40] = 1
        targets[:, 60:] = IGNORE
        return images, targets, torch.zeros(2, 5, 64, 64), torch.tensor([0, 1]), torch.tensor([5, 6])

    def test_it_is_the_sum_of_its_parts_and_can_be_learnt(self, batch):
        torch.manual_seed(1)
        objective = PromptObjective(PromptNetwork(PromptSpec(**SPEC)), PromptObjectiveConfig())
        optimiser = torch.optim.AdamW(objective.parameters(), lr=3e-3)
        totals = []
        for _ in range(12):
            losses, logits = objective(*batch)
            values = {name: value.item() for name, value in losses.items()}
            assert values["total"] == pytest.approx(values["ce"] + values["focal"] + values["iou"])
            optimiser.zero_grad()
            losses["total"].backward()
            optimiser.step()
            totals.append(values["total"])
        assert logits.shape == (2, 1, 64, 64)
        assert totals[-1] < 0.6 * totals[0]

    def test_losses_of_a_known_answer(self, batch):
        """Logits of 0: log 2 each pixel; half the object overlaps, of half of all and half of the object."""
        objective = PromptObjective(PromptNetwork(PromptSpec(**SPEC)), PromptObjectiveConfig(focal=0.5))
        losses = objective._losses(torch.zeros(2, 64, 64), batch[1])
        n, all_ = 900, 60 * 64
        assert float(losses["ce"]) == pytest.approx(2 * np.log(2))
        assert float(losses["focal"]) == pytest.approx(0.5 * np.log(2))
        assert float(losses["iou"]) == pytest.approx(1 - (n / 2 + 1) / (all_ / 2 + n / 2 + 1))

    def test_ignored_pixels_do_not_count(self, batch):
        objective = PromptObjective(PromptNetwork(PromptSpec(**SPEC)), PromptObjectiveConfig())
        logits = torch.zeros(2, 64, 64)
        other = logits.clone()
        other[:, 60:] = 50.0
        assert objective._losses(logits, batch[1]) == objective._losses(other, batch[1])

    def test_rounds_click_what_is_wrong(self, batch):
        images, targets, maps, *_ = batch
        objective = PromptObjective(PromptNetwork(PromptSpec(**SPEC)), PromptObjectiveConfig(fed_back=1.0))
        maps[:, 3] = (targets == 1).float()
        maps[:, 3, 10:40, 25:40] = 0  # the right half is missing
        seen, draws = maps.clone(), [np.random.default_rng(n) for n in range(2)]
        features = objective.network.encode(images.float() / 255)
        objective._click(objective.network, features, targets, seen, torch.arange(2), draws)
        for own in seen:
            rows, columns = torch.nonzero(own[0], as_tuple=True)
            assert 10 <= rows.float().mean() <= 40
            assert 25 <= columns.float().mean() <= 40
            assert not own[1].any()
        assert torch.equal(seen[:, 3], maps[:, 3]), "the first click sees the mask that it repairs"
