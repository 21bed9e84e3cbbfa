"""From configuration to parts: what is held back, frozen, started from and scheduled."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from cyclevos.datasets.augmentation import Motion
from cyclevos.errors import ConfigError, DatasetError
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.network.stm.family import build_network
from cyclevos.network.stm.spec import SPECS, NetworkSpec
from cyclevos.training.dry_run import _found
from cyclevos.training.schema import NetworkConfig, OptimiserConfig, TrainingConfig
from cyclevos.training.setup import build_dataset, build_optimiser, build_schedule, build_trained_network


@pytest.fixture
def config(tiny_run) -> TrainingConfig:
    return TrainingConfig.model_validate(tiny_run)


@pytest.fixture
def tiny_spec(config) -> NetworkSpec:
    """The network of the run."""
    return config.network.spec


def test_validation_sequences_are_held_back(config):
    clips = build_dataset(config, processes=3)
    assert [s.name for s in clips.mixture.sources[0].sequences] == ["one", "two"]
    assert len(clips) == 4 * 2 * 3


def test_nothing_left_to_train_on_is_explained(tiny_run, training_data):
    source = {"root": str(training_data), "exclude": ["one", "two"]}
    config = TrainingConfig.model_validate({**tiny_run, "data": {"sources": [source]}})
    with pytest.raises(DatasetError, match=r"no sequence is left.*'held', 'one', 'two'"):
        build_dataset(config, 1)


def test_images_and_masks_may_share_a_folder(tiny_run, tmp_path):
    (tmp_path / "Imgs").mkdir()
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(tmp_path / "Imgs" / "a.jpg")
    Image.fromarray(np.ones((8, 8), np.uint8)).save(tmp_path / "Imgs" / "a.png")
    source = {"kind": "still", "root": str(tmp_path), "images": "Imgs", "masks": "Imgs"}
    clips = build_dataset(TrainingConfig.model_validate({**tiny_run, "data": {"sources": [source]}}), 1)
    assert clips.mixture.sources[0].pairs == [(tmp_path / "Imgs" / "a.jpg", tmp_path / "Imgs" / "a.png")]


def test_stills_move_as_all_do_unless_they_say_otherwise(tiny_run, training_data):
    still = {"kind": "still", "root": str(training_data / "still")}
    data = {"sources": [still, {**still, "motion": {"blur": 3}}], "motion": {"rotate": 7}}
    clips = build_dataset(TrainingConfig.model_validate({**tiny_run, "data": data}), 1)
    assert [source.motion for source in clips.mixture.sources] == [Motion(rotate=7), Motion(blur=3)]


@pytest.mark.parametrize("kind", ["video", "pseudo"])
def test_sources_may_have_labels_in_the_first_frames_alone(tiny_run, training_data, kind):
    source = {"kind": kind, "labels": "first", "root": str(training_data), "motion": {"rotate": 7}}
    clips = build_dataset(TrainingConfig.model_validate({**tiny_run, "data": {"sources": [source]}}), 1)
    opened = clips.mixture.sources[0]
    assert [s.name for s in opened.sequences] == ["one", "two"]
    assert opened.labels == "first"
    assert opened.complete == (kind == "pseudo")
    found = "2 sequences, 2 annotated frames"
    assert _found(opened) == (found if kind == "pseudo" else f"{found}, 8 unlabelled frames")
    if kind == "pseudo":
        assert opened.motion == Motion(rotate=7)


@pytest.mark.parametrize("objective", [{"cycle": False}, {"cycle_weight": 0}])
def test_unlabelled_frames_need_the_cycle(tiny_run, training_data, objective):
    source = {"labels": "first", "root": str(training_data)}
    tree = {**tiny_run, "data": {"sources": [source]}, "objective": objective}
    with pytest.raises(ConfigError, match=r"data\.sources\.0: .* teach nothing without the cycle.*kind to pseudo"):
        build_dataset(TrainingConfig.model_validate(tree), 1)
    tree["data"] = {"sources": [{**source, "kind": "pseudo"}]}
    build_dataset(TrainingConfig.model_validate(tree), 1)


@pytest.mark.parametrize(("images", "message"), [("none", "is not a folder"), ("JPEGImages", "has a mask")])
def test_wrong_still_folders_are_explained(tiny_run, training_data, images, message):
    source = {"kind": "still", "root": str(training_data), "images": images, "masks": "still"}
    config = TrainingConfig.model_validate({**tiny_run, "data": {"sources": [source]}})
    with pytest.raises(DatasetError, match=message):
        build_dataset(config, 1)


def test_a_run_starts_from_weights(config, tmp_path, tiny_network):
    save_weights(tiny_network, tmp_path / "start.safetensors")
    start = NetworkConfig(spec=config.network.spec, init_from=str(tmp_path / "start.safetensors"))
    network = build_trained_network(start, size=48)
    assert network.spec.size == 48
    for name, value in tiny_network.state_dict().items():
        assert torch.equal(network.state_dict()[name], value)
    assert all(p.requires_grad for p in network.parameters())


def test_weights_of_another_network_are_refused(tmp_path, tiny_network):
    save_weights(tiny_network, tmp_path / "start.safetensors")
    with pytest.raises(ConfigError, match=r"init_from .*start\.safetensors: the weights are for .*key_dim=8"):
        build_trained_network(NetworkConfig(init_from=str(tmp_path / "start.safetensors")), size=None)


def test_an_unknown_network_is_refused():
    with pytest.raises(ConfigError, match=r"'defualt' is unknown.*stm-cycle-resnet50"):
        build_trained_network(NetworkConfig(name="defualt"), size=None)


def test_a_named_network_can_be_changed():
    changed = NetworkConfig(changes=NetworkSpec(read_sigma=None, value_dim=32), imagenet=False)
    spec = build_trained_network(changed, size=48).spec
    assert spec == SPECS["default"].model_copy(update={"read_sigma": None, "value_dim": 32, "size": 48})


def test_a_run_may_start_from_weights_with_another_read(config, tmp_path, tiny_network):
    save_weights(tiny_network, tmp_path / "start.safetensors")
    start = NetworkConfig(
        spec=config.network.spec, changes=NetworkSpec(read_sigma=5), init_from=str(tmp_path / "start.safetensors")
    )
    assert build_trained_network(start, size=48).spec.read_sigma == 5


def test_a_run_may_give_context_to_weights_without(config, tmp_path, tiny_network):
    save_weights(tiny_network, tmp_path / "start.safetensors")
    start = NetworkConfig(
        spec=config.network.spec,
        changes=NetworkSpec(context=True),
        init_from=str(tmp_path / "start.safetensors"),
        imagenet=False,
    )
    network = build_trained_network(start, size=48)
    assert network.spec.context
    held = network.state_dict()
    assert len(held) > len(tiny_network.state_dict())
    assert all(torch.equal(held[name], value) for name, value in tiny_network.state_dict().items())
    image = torch.rand(1, 3, 48, 64)
    with torch.no_grad():
        assert torch.equal(network.encode_query(image).key, tiny_network.encode_query(image).key)


def test_a_run_may_not_take_context_away(config, tmp_path, tiny_spec):
    save_weights(build_network(tiny_spec.model_copy(update={"context": True})), tmp_path / "start.safetensors")
    with pytest.raises(ConfigError, match=r"the weights are for .*context=True.* the run has .*context=False"):
        build_trained_network(
            NetworkConfig(spec=config.network.spec, init_from=str(tmp_path / "start.safetensors")), size=None
        )


def test_trunks_have_a_rate_of_their_own_and_frozen_stages_none(config):
    network = build_trained_network(config.network, size=None)
    optimiser = build_optimiser(network, OptimiserConfig(lr=0.1, trunk_factor=0.5))
    assert [group["lr"] for group in optimiser.param_groups] == [0.05, 0.1]
    held = {id(p) for group in optimiser.param_groups for p in group["params"]}
    assert held == {id(p) for p in network.parameters() if p.requires_grad}
    frozen = [name for name, p in network.named_parameters() if not p.requires_grad]
    assert frozen
    assert all(name.startswith("query_encoder.") for name in frozen)


def test_rates_over_a_run():
    def rates(**options) -> list[float]:
        optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule = build_schedule(optimiser, OptimiserConfig(**options), steps=4)
        found = []
        for _ in range(4):
            found.append(schedule.get_last_lr()[0])
            optimiser.step()
            schedule.step()
        return found

    assert rates() == [1, 1, 1, 1]
    assert rates(warmup=4) == [0.25, 0.5, 0.75, 1]
    assert rates(schedule="cosine") == pytest.approx([1, 0.853553, 0.5, 0.146447], abs=1e-5)
