"""The family as the registry sees it: its folders are loaded by address, from this machine and from the hub."""

from __future__ import annotations

from pathlib import Path

import huggingface_hub
import pytest
import torch

import cyclevos
from cyclevos.errors import WeightsError
from cyclevos.network.sam2.build import save_sam2
from cyclevos.network.settings import NetworkSettings


@pytest.fixture
def folder(network, tmp_path):
    save_sam2(network, tmp_path / "net")
    return tmp_path / "net"


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """The hub, which has one repository; what it hands out is in its cache afterwards."""
    asked = []
    root = tmp_path / "hub" / "models--owner--net"
    snapshot = root / "snapshots" / "c0ffee"

    def give(file):
        (root / "refs").mkdir(parents=True, exist_ok=True)
        (root / "refs" / "main").write_text("c0ffee")
        snapshot.mkdir(parents=True, exist_ok=True)
        (snapshot / file).write_bytes((folder / file).read_bytes())
        asked.append(file)

    def one(repository, file, **_):
        assert repository == "owner/net"
        give(file)
        return str(snapshot / file)

    def all_files(repository, **_):
        assert repository == "owner/net"
        give("config.json")
        give("model.safetensors")
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", one)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", all_files)
    return asked


def same(network, other):
    state = other.state_dict()
    return all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_a_local_folder_is_loaded(network, folder):
    for address in (folder, f"sam2.1-tiny={folder}"):
        loaded = cyclevos.load_network(address, device="cpu", dtype="float32")
        assert same(network, loaded)
        assert loaded.traits == NetworkSettings(str(address)).traits() == network.traits


def test_a_repository_is_fetched_once_and_then_loaded_without_the_hub(network, hub):
    settings = NetworkSettings("hf://owner/net", device="cpu", dtype="float32")
    assert settings.weights_file is None
    assert settings.traits() == network.traits
    assert "model.safetensors" in hub
    hub.clear()
    assert same(network, settings.load())
    assert settings.weights_sha256 in settings.weights_identity
    assert hub == []


def test_a_file_where_a_folder_is_expected_is_refused(folder):
    with pytest.raises(WeightsError, match=r"is no folder\. Expected a folder with config\.json"):
        cyclevos.load_network("edgetam", weights=folder / "model.safetensors", device="cpu")


def test_traits_of_a_file_given_for_a_folder_are_refused_in_words(folder):
    with pytest.raises(WeightsError, match=r"config\.json"):
        NetworkSettings(f"edgetam={Path(folder) / 'model.safetensors'}").traits()
