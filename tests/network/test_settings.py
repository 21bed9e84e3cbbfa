"""Which network runs: what auto stands for, and where the weights are."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from file_server import serving

from cyclevos.errors import ConfigError, WeightsError
from cyclevos.network.fingerprint import checksum
from cyclevos.network.named_weights import Download
from cyclevos.network.registry import find
from cyclevos.network.settings import NetworkSettings
from cyclevos.network.stm import checkpoints
from cyclevos.network.traits import NetworkTraits


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
    assert checksum(tmp_path / file) in identity
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert settings.weights_file is None
    assert absolute.weights_file == tmp_path / file


@pytest.mark.parametrize("name", ["default", "hf://owner/repository/file", "nowhere.pth"])
def test_weights_that_are_no_file_of_the_users_keep_their_name(name):
    assert NetworkSettings(name).with_absolute_weights().weights == name


def test_traits_are_read_without_the_tensors(file, lively_network, monkeypatch):
    monkeypatch.setattr("cyclevos.network.weights.load_network", None)
    assert NetworkSettings(file).traits() == NetworkTraits("stm", lively_network.spec.size)


@pytest.mark.parametrize(
    ("weights", "traits"),
    [
        ("default", ("stm", 544)),
        ("stm-resnet50", ("stm", None)),
        ("stm-cycle-resnet18", ("stm", 240)),
        ("cutie-base-mega", ("cutie", 480)),
        ("sam2.1-large", ("sam2", 1024)),
        ("edgetam", ("sam2", 1024)),
    ],
)
def test_traits_of_a_name_are_known_before_its_weights_are_here(weights, traits):
    found = NetworkSettings(weights).traits()
    assert (found.family, found.size) == traits


def test_traits_of_a_released_file_are_those_of_the_network_it_shows(tmp_path):
    torch.save({"state_dict": {"Encoder_M.conv1_bg.weight": torch.zeros(1)}}, tmp_path / "r18.pth.tar")
    assert NetworkSettings(str(tmp_path / "r18.pth.tar")).traits() == NetworkTraits("stm", 240)


def test_a_folder_is_found_from_another_folder_and_known_by_its_tensors(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net").mkdir()
    (tmp_path / "net" / "config.json").write_text('{"model_type": "sam2_video", "image_size": 512}')
    (tmp_path / "net" / "model.safetensors").write_bytes(b"tensors")
    for weights, absolute in (("net", f"{tmp_path}/net"), ("edgetam=net", f"edgetam={tmp_path}/net")):
        settings = NetworkSettings(weights)
        assert settings.weights_file == Path("net")
        assert settings.with_absolute_weights().weights == absolute
        assert settings.weights_sha256 == hashlib.sha256(b"tensors").hexdigest()
    assert NetworkSettings("net").traits().size == 512


def test_an_identity_is_the_same_before_and_after_the_download(cache, monkeypatch):
    family, weights = find("stm-cycle-resnet18")
    with serving(b"weights") as server:
        here = replace(weights, where=Download(server.url, "net.pth"))
        monkeypatch.setattr(type(family), "weights", tuple(here if w is weights else w for w in family.weights))
        settings = NetworkSettings(weights.name)
        assert (settings.weights_file, settings.weights_sha256) == (None, None)
        assert settings.with_absolute_weights() == settings
        first = settings.weights_identity
    assert first == settings.weights_identity == f"{weights.name} (SHA-256 {hashlib.sha256(b'weights').hexdigest()})"
    assert settings.weights_file == cache / "net.pth"
    assert settings.with_absolute_weights() == settings, "another machine has a cache of its own"


def test_an_identity_of_weights_that_there_are_not_is_refused():
    with pytest.raises(WeightsError, match="neither a named network"):
        _ = NetworkSettings("nowhere.pth").weights_identity


def test_objects_at_once_reaches_the_network(file):
    assert NetworkSettings(file, device="cpu", objects_at_once=2).load().chunks.at_once == 2
