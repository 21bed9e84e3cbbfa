from __future__ import annotations

import sys

import pytest
import torch
from safetensors.torch import save_file
from torch.utils import model_zoo

from cyclevos.errors import MissingExtraError, OutputError, WeightsError
from cyclevos.network.cutie.build import build_cutie, is_cutie, load_cutie, save_cutie

big_modules = pytest.importorskip("cutie.model.big_modules", reason="the extra cutie is not installed")


def no_download(*_args, **_options):
    raise AssertionError("a download was attempted")


@pytest.mark.parametrize("size", ["small", "base"])
def test_building_downloads_nothing_and_restores_the_library(size, monkeypatch):
    monkeypatch.setattr(model_zoo, "load_url", no_download)
    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", no_download)
    trunks = big_modules.resnet

    network = build_cutie(size)

    assert big_modules.resnet is trunks
    assert is_cutie(network.cutie.state_dict()) == size
    assert not network.training
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_a_constructor_that_fails_leaves_the_library_as_it_was(monkeypatch):
    trunks = big_modules.resnet
    monkeypatch.setattr("cutie.model.cutie.PixelEncoder", no_download)
    with pytest.raises(AssertionError):
        build_cutie("small")
    assert big_modules.resnet is trunks


def test_without_the_library_the_error_holds_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "omegaconf", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cyclevos\[cutie\]'"):
        build_cutie("small")


def test_saved_weights_load_here_and_in_the_library(network, tmp_path):
    file = tmp_path / "cutie.pth"
    save_cutie(network, file)
    loaded = load_cutie(file, "small")
    state = network.cutie.state_dict()

    assert all(torch.equal(tensor, state[name]) for name, tensor in loaded.cutie.state_dict().items())
    library = build_cutie("small").cutie
    library.load_weights(torch.load(file, weights_only=True))
    assert all(torch.equal(tensor, state[name]) for name, tensor in library.state_dict().items())


def test_safetensors_without_counters_load(network, tmp_path):
    file = tmp_path / "cutie.safetensors"
    state = {n: t.contiguous() for n, t in network.cutie.state_dict().items() if not n.endswith("num_batches_tracked")}
    save_file(state, file)
    loaded = load_cutie(file, "small").cutie.state_dict()

    assert all(torch.equal(loaded[name], tensor) for name, tensor in state.items())


def test_every_tensor_that_does_not_fit_is_named(network, tmp_path):
    state = dict(network.cutie.state_dict())
    del state["mask_decoder.pred.bias"]
    state["stray.weight"] = torch.zeros(1)
    state["key_proj.key_proj.bias"] = torch.zeros(7)
    torch.save(state, tmp_path / "odd.pth")
    with pytest.raises(WeightsError) as caught:
        load_cutie(tmp_path / "odd.pth", "small")

    problem = caught.value.problem
    assert "missing (1): mask_decoder.pred.bias" in problem
    assert "not used (1): stray.weight" in problem
    assert "misshapen (1): key_proj.key_proj.bias: (7,) where (64,) is needed" in problem


def test_weights_of_another_network_are_not_cutie(network):
    assert is_cutie({"Encoder_M.conv1.weight": torch.zeros(1)}) is None
    state = network.cutie.state_dict()
    assert is_cutie({name: tensor for name, tensor in state.items() if "pixel_fuser" not in name}) is None
    assert is_cutie({**state, "pix_feat_proj.weight": torch.zeros(256, 99, 1, 1)}) is None


def test_a_file_that_cannot_be_written_is_an_output_error(network, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    with pytest.raises(OutputError):
        save_cutie(network, tmp_path / "file" / "cutie.pth")
