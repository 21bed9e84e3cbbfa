"""Loading a network: whatever the caller's modes are, with the predictor that belongs to it, from every place."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from file_server import serving
from safetensors.torch import save_file

import cyclevos
from cyclevos.errors import ConfigError
from cyclevos.network.calibration import WEIGHTS_SHA256
from cyclevos.network.fingerprint import fingerprint
from cyclevos.network.named_weights import Download
from cyclevos.network.registry import find
from cyclevos.network.settings import NetworkSettings
from cyclevos.network.stm.checkpoints import save_weights


@pytest.fixture
def file(tmp_path, lively_network):
    save_weights(lively_network, tmp_path / "tiny.safetensors")
    return tmp_path / "tiny.safetensors"


def test_a_network_loaded_in_inference_mode_can_give_gradients(file):
    with torch.inference_mode():
        network = cyclevos.load_network(file, device="cpu", dtype="float32")
    assert not any(tensor.is_inference() for tensor in network.state_dict().values())
    probabilities = torch.full((1, 2, 32, 48), 0.5, requires_grad=True)
    present = torch.ones(1, 1, dtype=torch.bool)
    prepared = network.prepare_memory(torch.rand(1, 3, 32, 48))
    memory = network.encode_memory(prepared, probabilities, present)
    query = network.encode_query(torch.rand(1, 3, 32, 48))
    logits = network.segment(query, memory.alone(), present).logits
    (gradient,) = torch.autograd.grad(logits[:, 1].sum(), probabilities)
    assert gradient.abs().sum() > 0
    assert all(parameter.grad is None for parameter in network.parameters())


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_callers_default_dtype_changes_nothing(file, dtype):
    expected = cyclevos.load_network(file, device="cpu", dtype=dtype).state_dict()
    torch.set_default_dtype(torch.float64)
    try:
        network = cyclevos.load_network(file, device="cpu", dtype=dtype)
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    for name, tensor in network.state_dict().items():
        assert tensor.dtype == expected[name].dtype
        assert torch.equal(tensor, expected[name]), name
    assert next(network.parameters()).dtype == getattr(torch, dtype)


def test_the_default_dtype_is_put_back_after_an_error(tmp_path):
    torch.set_default_dtype(torch.float64)
    try:
        (tmp_path / "broken.safetensors").touch()
        with pytest.raises(cyclevos.WeightsError):
            cyclevos.load_network(f"default={tmp_path / 'broken.safetensors'}")
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def predictor_for(weights, file):
    """Write what records that it was fitted to some weights."""
    save_file({"mean": torch.zeros(6)}, file, metadata={WEIGHTS_SHA256: fingerprint(weights)})


def test_a_network_knows_the_predictor_that_was_fitted_to_it(file):
    assert cyclevos.load_network(file, device="cpu").calibration is None
    predictor = file.with_name("tiny.reliability.safetensors")
    predictor_for(file, predictor)
    assert cyclevos.load_network(file, device="cpu").calibration == predictor
    assert cyclevos.load_network("default", device="cpu").calibration.name == "reliability.safetensors"


def test_only_stm_is_laid_out_with_channels_last(file, cutie_file):
    loaded = cyclevos.load_network(file, device="cpu", dtype="float32")
    assert loaded.query_key.weight.is_contiguous(memory_format=torch.channels_last)
    cutie = cyclevos.load_network(cutie_file, device="cpu", dtype="float32")
    wide = [parameter for parameter in cutie.parameters() if parameter.ndim == 4 and min(parameter.shape) > 1]
    assert wide
    assert all(parameter.is_contiguous() for parameter in wide)


@pytest.fixture(scope="module")
def cutie_file(tmp_path_factory):
    """A small Cutie with random weights in the library's own format."""
    pytest.importorskip("cutie", reason="rf-cutie is not installed")
    from cyclevos.network.cutie.build import build_cutie, save_cutie

    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("cutie") / "random.pth"
    save_cutie(build_cutie("small"), path)
    return path


def test_a_name_is_fetched_checked_and_loaded(cutie_file, monkeypatch):
    family, weights = find("cutie-small-mega")
    with serving(cutie_file.read_bytes()) as server:
        here = replace(weights, where=Download(server.url, weights.where.filename))
        monkeypatch.setattr(type(family), "weights", tuple(here if w is weights else w for w in family.weights))
        settings = NetworkSettings("cutie-small-mega", device="cpu", dtype="float32")
        assert (settings.traits().family, settings.traits().size) == ("cutie", 480)
        assert server.asked == [], "its traits are known before it is here"
        network = settings.load()
    assert torch.equal(settings.load().state_dict()["cutie.pix_feat_proj.weight"], network.cutie.pix_feat_proj.weight)
    by_file = cyclevos.load_network(cutie_file, device="cpu", dtype="float32")
    for name, tensor in by_file.state_dict().items():
        assert torch.equal(tensor, network.state_dict()[name]), name
    assert network.traits == settings.traits()


def test_the_other_size_of_cutie_is_refused(cutie_file):
    with pytest.raises(cyclevos.WeightsError, match="does not match cutie-base"):
        cyclevos.load_network("cutie-base-mega", weights=cutie_file, device="cpu")


def test_a_network_that_cannot_limit_its_objects_says_so(file, monkeypatch):
    class Whole:
        pass

    monkeypatch.setattr("cyclevos.network.weights.load_network", lambda *_, **__: Whole())
    with pytest.raises(ConfigError, match=r"processes all objects together.*--objects-at-once"):
        NetworkSettings(str(file), objects_at_once=2).load()
