"""The prompt network: shapes, what it depends on, its file."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cyclevos.errors import WeightsError
from cyclevos.prompts.maps import RADIUS, prompt_maps
from cyclevos.prompts.network import PromptNetwork
from cyclevos.prompts.prompts import Box, Click
from cyclevos.prompts.spec import PromptSpec
from cyclevos.prompts.weights import load_prompt_network, read_prompt_spec, same_weights, save_prompt_network

SPEC = PromptSpec(size=64, widths=(8, 16, 32), blocks=1, context=False)


@pytest.fixture(scope="module")
def network() -> PromptNetwork:
    torch.manual_seed(0)
    return PromptNetwork(SPEC).eval()


@pytest.mark.parametrize("size", [64, 96])
def test_logits_have_the_size_of_the_look_also_of_another_one(network, size):
    with torch.no_grad():
        logits = network(torch.rand(2, 3, size, size), torch.rand(2, 5, size, size))
    assert logits.shape == (2, 1, size, size)


def test_at_another_size_it_says_what_it_says_there(network):
    images, maps = torch.rand(1, 3, 96, 96), torch.rand(1, 5, 96, 96)
    other = network.at_size(96).eval()
    assert other.spec == SPEC.model_copy(update={"size": 96})
    assert other.position.shape[-2:] == (6, 6)
    with torch.no_grad():
        torch.testing.assert_close(other(images, maps), network(images, maps))
    assert network.position.shape[-2:] == (4, 4)


def test_features_serve_several_prompts(network):
    images, maps = torch.rand(1, 3, 64, 64), torch.rand(3, 5, 64, 64)
    with torch.no_grad():
        together = network.segment(network.encode(images).select(torch.zeros(3, dtype=torch.long)), maps)
        apart = torch.cat([network(images, each[None]) for each in maps])
    torch.testing.assert_close(together, apart, atol=1e-4, rtol=1e-4)


def test_every_map_counts(network):
    features = network.encode(torch.rand(1, 3, 64, 64))
    maps = torch.zeros(1, 5, 64, 64, requires_grad=True)
    network.segment(features, maps).square().sum().backward()
    assert (maps.grad.abs().amax(dim=(0, 2, 3)) > 0).all()


def test_gradients_reach_every_parameter_but_the_zero_start(network):
    own = PromptNetwork(SPEC)
    own(torch.rand(1, 3, 64, 64), torch.rand(1, 5, 64, 64)).square().sum().backward()
    without = [name for name, p in own.named_parameters() if p.grad is None]
    assert without == []


def test_a_file_holds_the_whole_network(network, tmp_path):
    file = tmp_path / "prompts.safetensors"
    save_prompt_network(network, file)
    assert read_prompt_spec(file) == SPEC
    assert same_weights(file, network)
    loaded = load_prompt_network(file).eval()
    images, maps = torch.rand(1, 3, 64, 64), torch.rand(1, 5, 64, 64)
    with torch.no_grad():
        assert torch.equal(loaded(images, maps), network(images, maps))
    save_prompt_network(network, file, half=True)
    assert not same_weights(file, network)


def test_weights_of_a_video_network_are_refused(tmp_path, network):
    from cyclevos.network.tensor_files import write_safetensors

    file = tmp_path / "other.safetensors"
    write_safetensors({"a": torch.zeros(2)}, file)
    with pytest.raises(WeightsError, match="no weights of a prompt network"):
        load_prompt_network(file)
    write_safetensors({"a": torch.zeros(2)}, file, {"cyclevos.prompts.spec": "{}"})
    with pytest.raises(WeightsError, match="does not match its own specification"):
        load_prompt_network(file)
    write_safetensors({"a": torch.zeros(2)}, file, {"cyclevos.prompts.spec": '{"size": 3}'})
    with pytest.raises(WeightsError, match="broken specification"):
        load_prompt_network(file)


def test_weights_that_are_not_finite_are_refused(tmp_path):
    broken = PromptNetwork(SPEC)
    with torch.no_grad():
        broken.coarse.weight[0, 0] = torch.nan
    save_prompt_network(broken, tmp_path / "nan.safetensors")
    with pytest.raises(WeightsError, match=r"not finite, first in coarse.weight"):
        load_prompt_network(tmp_path / "nan.safetensors")


def test_prompts_are_drawn_as_disks_and_a_filled_box():
    mask = np.full((32, 32), 0.25, np.float32)
    maps = prompt_maps(32, [Click(16, 16), Click(0.5, 0.5, False)], Box(4, 8, 12, 40), mask)
    assert maps[0].sum() == pytest.approx(np.pi * RADIUS**2, rel=0.05)
    assert maps[0, 15, 15] == 1
    assert 0 < maps[1].sum() < maps[0].sum(), "cut at the corner"
    assert maps[2].sum() == 8 * 24
    assert (maps[3] == 0.25).all()
    assert (maps[4] == 1).all()
    assert prompt_maps(32)[1:].sum() == 0
