"""Which network runs: what auto stands for, and where the weights are."""

from __future__ import annotations

import pytest

from cyclevos.errors import ConfigError
from cyclevos.network import checkpoints
from cyclevos.network.settings import NetworkSettings


@pytest.fixture
def file(tmp_path, lively_network, monkeypatch):
    """A weights file, named relatively from the working directory."""
    monkeypatch.chdir(tmp_path)
    checkpoints.save_weights(lively_network, tmp_path / "tiny.safetensors")
    return "tiny.safetensors"


def test_what_auto_stands_for_is_a_device_and_a_dtype(file):
    resolved = NetworkSettings(file).resolved()
    assert resolved.device != "auto"
    assert resolved.dtype in ("float32", "bfloat16", "float16")
    assert resolved.resolved() == resolved
    parameter = next(resolved.load().parameters())
    assert (str(parameter.device.type), str(parameter.dtype)) == (
        resolved.device[:4].rstrip(":"),
        f"torch.{resolved.dtype}",
    )


def test_a_device_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="'gpu' cannot be used"):
        NetworkSettings(device="gpu").resolved()


@pytest.mark.parametrize("name", ["", "stm-resnet50="])
def test_a_weights_file_is_found_from_another_folder(file, name, tmp_path, monkeypatch):
    settings = NetworkSettings(name + file)
    absolute = settings.with_absolute_weights()
    assert absolute.weights == f"{name}{tmp_path / file}"
    identity = settings.weights_identity
    assert checkpoints.checksum(tmp_path / file) in identity
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert settings.weights_file is None
    assert absolute.weights_file == tmp_path / file


@pytest.mark.parametrize("name", ["default", "hf://owner/repository/file", "nowhere.pth"])
def test_weights_that_are_no_file_of_the_users_keep_their_name(name):
    assert NetworkSettings(name).with_absolute_weights().weights == name


def test_the_best_size_is_read_without_the_tensors(file, lively_network, monkeypatch):
    monkeypatch.setattr("cyclevos.network.weights.load_network", None)
    assert NetworkSettings(file).best_size() == lively_network.spec.size


def test_objects_at_once_reaches_the_network(file):
    assert NetworkSettings(file, device="cpu", objects_at_once=2).load().chunks.at_once == 2
