"""Loading prompters: names, files, folders, and what is none."""

from __future__ import annotations

import json

import huggingface_hub
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from sam2_networks import CONFIGS

import cyclevos
from cyclevos.errors import ConfigError, MissingExtraError, WeightsError
from cyclevos.network import registry
from cyclevos.network.locating import locate
from cyclevos.network.registry import PROMPTER, find
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.prompts.loading import load_prompter, prompter_file
from cyclevos.prompts.looking import LookingPrompter
from cyclevos.prompts.sam2 import Sam2Prompter

PACKAGED = find("default", PROMPTER)[1].where.file


@pytest.fixture(autouse=True)
def hub(tmp_path, monkeypatch):
    """The hub's cache, empty."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def folder(tmp_path):
    pytest.importorskip("transformers", reason="the extra sam2 is not installed")
    from cyclevos.network.sam2.build import build_sam2, save_sam2

    save_sam2(build_sam2(CONFIGS["sam2"]()), tmp_path / "net")
    return tmp_path / "net"


def test_the_default_is_the_packaged_one():
    prompter = cyclevos.load_prompter(device="cpu", dtype="float32")
    assert isinstance(prompter, LookingPrompter)
    assert prompter.name == "default"
    assert prompter_file("default") == PACKAGED
    assert not any(parameter.requires_grad for parameter in prompter.network.parameters())


@pytest.mark.parametrize("address", ["{}", "default={}"])
def test_a_file_is_loaded(tmp_path, address):
    file = tmp_path / "mine.safetensors"
    file.write_bytes(PACKAGED.read_bytes())
    prompter = load_prompter(address.format(file), device="cpu")
    assert isinstance(prompter, LookingPrompter)
    assert prompter.name == address.format(file)


@pytest.mark.parametrize("address", ["{}", "sam2.1-tiny={}"])
def test_a_folder_is_both_a_prompter_and_a_network(folder, address):
    address = address.format(folder)
    prompter = load_prompter(address, device="cpu", dtype="float32")
    assert isinstance(prompter, Sam2Prompter)
    assert prompter.name == address
    assert prompter(np.zeros((20, 30, 3), np.uint8), [(4, 5)]).shape == (20, 30)
    network = cyclevos.load_network(address, device="cpu", dtype="float32")
    assert torch.equal(network.model.mask_decoder.iou_token.weight, prompter.model.mask_decoder.iou_token.weight)


def test_a_folder_of_the_model_for_images_is_a_prompter_only(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "sam2"}))
    assert isinstance(load_prompter(folder, device="cpu"), Sam2Prompter)
    with pytest.raises(WeightsError, match="the model for single images, a prompter; as a network"):
        cyclevos.load_network(folder, device="cpu")


def test_a_name_is_fetched_once_for_both_uses(folder, tmp_path, monkeypatch):
    asked = []
    snapshot = tmp_path / "hub" / "models--facebook--sam2.1-hiera-tiny" / "snapshots" / "c0ffee"

    def download(repository, **_):
        asked.append(repository)
        snapshot.mkdir(parents=True)
        (snapshot.parents[1] / "refs").mkdir()
        (snapshot.parents[1] / "refs" / "main").write_text("c0ffee")
        for file in folder.iterdir():
            (snapshot / file.name).write_bytes(file.read_bytes())
        return str(snapshot)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert load_prompter("sam2.1-tiny", device="cpu").name == "sam2.1-tiny"
    assert cyclevos.load_network("sam2.1-tiny", device="cpu").traits.family == "sam2"
    assert prompter_file("sam2.1-tiny") == snapshot
    assert asked == ["facebook/sam2.1-hiera-tiny"]


def test_without_the_connection_the_way_round_is_told(monkeypatch):
    pytest.importorskip("transformers", reason="the extra sam2 is not installed")

    def download(*_, **__):
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    with pytest.raises(WeightsError, match=r"give sam2\.1-tiny=FOLDER instead"):
        load_prompter("sam2.1-tiny", device="cpu")


def test_without_the_extra_nothing_is_downloaded(monkeypatch):
    monkeypatch.setattr(registry, "installed_version", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cyclevos\[sam2\]'"):
        load_prompter("sam2.1-tiny", device="cpu")
    assert locate("sam2.1-tiny", PROMPTER).path is None


def test_weights_of_a_network_are_refused(tmp_path, tiny_network):
    save_weights(tiny_network, tmp_path / "net.safetensors")
    for address in (tmp_path / "net.safetensors", "cutie-base-mega"):
        with pytest.raises(WeightsError, match=r"of a network.*expected .* of a prompter.*Give it with --weights"):
            load_prompter(address, device="cpu")


def test_a_prompters_file_is_refused_as_a_network():
    with pytest.raises(WeightsError, match=r"of a prompter .*expected those of a network\. Give it with --prompter"):
        cyclevos.load_network(PACKAGED, device="cpu")


def test_a_missing_tensor_is_told(folder):
    file = folder / "model.safetensors"
    tensors = load_file(file)
    del tensors["no_memory_embedding"]
    save_file(tensors, file, metadata={"format": "pt"})
    with pytest.raises(WeightsError, match="missing: no_memory_embedding"):
        load_prompter(folder, device="cpu")


def test_what_is_nothing_of_the_kind_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="neither a named prompter"):
        load_prompter("defalt", device="cpu")
    (tmp_path / "broken.safetensors").write_bytes(b"half")
    with pytest.raises(WeightsError, match="is not a safetensors file"):
        load_prompter(tmp_path / "broken.safetensors", device="cpu")
    with pytest.raises(ConfigError, match="dtype 'half' is unknown"):
        load_prompter(dtype="half", device="cpu")
    with pytest.raises(ConfigError, match="Device 'gpu'"):
        load_prompter(device="gpu")


def test_the_callers_default_dtype_does_not_matter(folder):
    torch.set_default_dtype(torch.float64)
    try:
        prompter = load_prompter(folder, device="cpu", dtype="float32")
    finally:
        torch.set_default_dtype(torch.float32)
    assert {tensor.dtype for tensor in (*prompter.model.parameters(), *prompter.model.buffers())} == {torch.float32}
