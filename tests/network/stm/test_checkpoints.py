"""Weights files: released ones give the oracle's numbers, wrong ones are named, no code ever runs."""

import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import released_oracle as oracle
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.torch import load_file

import cyclevos
from cyclevos import Correction
from cyclevos.errors import ConfigError, OutputError, WeightsError
from cyclevos.files.atomic import remove_leftovers
from cyclevos.network.stm.checkpoints import convert_released, load_state, save_weights
from cyclevos.network.stm.family import network_from_file
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.spec import SPECS
from cyclevos.network.tensor_files import write_safetensors
from cyclevos.network.weights import resolve_device, resolve_dtype

RELEASED = {
    "stm-resnet50": (50, "conv1_o"),
    "stm-cycle-resnet50": (50, "conv1_bg"),
    "stm-cycle-resnet18": (18, "conv1_bg"),
}


def write_released(name, folder):
    """A file as the authors publish it: container, prefix and buffers."""
    network = oracle.randomise(oracle.ReleasedNetwork(*RELEASED[name]))
    state = network.state_dict()
    for encoder in ("Encoder_M", "Encoder_Q"):
        state[f"{encoder}.mean"], state[f"{encoder}.std"] = oracle.MEAN, oracle.STD
    if name == "stm-resnet50":
        file = folder / "STM_weights.pth"
        state = {f"module.{k}": v for k, v in state.items() if not k.endswith("num_batches_tracked")}
        torch.save(state, file)
    else:
        file = folder / f"{name}.pth.tar"
        torch.save({"epoch": 3, "state_dict": state, "max_skip": 20}, file)
    return network, file


@pytest.mark.parametrize(
    ("name", "clip", "height", "width"),
    [
        ("stm-resnet50", "250x444", 122, 172),  # as many pixels over multiples of 16 as 250x444 and 240x427 have
        ("stm-cycle-resnet50", "240x427", 128, 171),
    ],
)
@pytest.mark.slow
def test_released_files_give_the_oracles_numbers_on_real_frames(name, clip, height, width, tmp_path, shared_data):
    network, file = write_released(name, tmp_path)
    with np.load(shared_data / "parity" / f"horsejump_{clip}.npz") as stored:
        frames, mask = stored["frames"], stored["mask"]
    ours = cyclevos.load_network(file, device="cpu", dtype="float32")
    assert ours.spec.second_mask == SPECS[name].second_mask
    frames, mask = frames[:4, :, 40 : 40 + height, 100 : 100 + width], mask[40 : 40 + height, 100 : 100 + width]
    images = frames.transpose(0, 2, 3, 1)
    run = cyclevos.segment(ours, images, {0: mask}, size=None, memory_every=2)
    got = torch.stack([p.probabilities for p in run])
    ids = np.unique(mask)[1:]
    first = torch.stack([torch.from_numpy(mask == i) for i in (0, *ids)])[None].float()
    expected = network.run(torch.from_numpy(frames).float() / 255, first, every=2)
    assert len(ids) == 2
    torch.testing.assert_close(got, expected, atol=1e-3, rtol=0)
    assert expected[1:].std() > 0.05, "the oracle's weights must make a difference between pixels"


@pytest.mark.slow
def test_corrections_of_a_released_network_are_the_oracles(tmp_path, shared_data):
    """Their steps leave [0, 1], where the second mask channel of the release is clamped and the first is not."""
    rate = 5e3  # random weights have small gradients
    network, file = write_released("stm-cycle-resnet18", tmp_path)
    with np.load(shared_data / "parity" / "horsejump_240x427.npz") as stored:
        frames, mask = stored["frames"][:4], stored["mask"]
    frames, mask = frames[..., 40:168, 100:276], mask[40:168, 100:276]
    ids = np.unique(mask)[1:]
    first = torch.stack([torch.from_numpy(mask == i) for i in (0, *ids)])[None].float()
    tensors = torch.from_numpy(frames).float() / 255
    expected = network.run(tensors, first, every=2, steps=3, rate=rate)
    plain = network.run(tensors, first, every=2)
    ours = cyclevos.load_network(file, device="cpu", dtype="float32")
    how = Correction.preset("paper", every=2, steps=3, rate=rate)
    run = cyclevos.segment(ours, frames.transpose(0, 2, 3, 1), {0: mask}, size=None, memory_every=2, correction=how)
    got = torch.stack([p.probabilities for p in run])
    assert (expected - plain).abs().max() > 0.02, "the corrections must matter"
    corrected = network.correct(tensors, 2, expected[2:3], first, 3, rate)
    assert corrected.min() < -0.01, "the steps must leave [0, 1]"
    torch.testing.assert_close(got, expected, atol=1e-3, rtol=0)


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """The small network's file, as published."""
    return write_released("stm-cycle-resnet18", tmp_path_factory.mktemp("released"))[1]


@pytest.fixture(scope="module")
def released_state(released):
    return torch.load(released, weights_only=True)["state_dict"]


def test_a_named_network_takes_a_released_file(released):
    for loaded in (
        cyclevos.load_network("stm-cycle-resnet18", weights=released, device="cpu"),
        cyclevos.load_network(f"stm-cycle-resnet18={released}", device="cpu"),
    ):
        assert loaded.spec == SPECS["stm-cycle-resnet18"]


@pytest.mark.parametrize("damage", ["missing", "extra", "misshapen"])
def test_tensors_that_do_not_match_are_named(released_state, damage):
    name = "stm-cycle-resnet18"
    state = dict(released_state)
    if damage == "missing":
        del state["KV_M_r4.Key.weight"]
        wanted = r"missing \(1\): memory_key\.weight"
    elif damage == "extra":
        state["Decoder.attention.weight"] = torch.zeros(2)
        wanted = r"not used \(1\): Decoder\.attention\.weight|not used \(1\): decoder"
    else:
        state["Decoder.pred2.bias"] = torch.zeros(3)
        wanted = r"misshapen \(1\): decoder\.prediction\.bias: \(3,\) where \(2,\) is needed"
    with pytest.raises(WeightsError, match=wanted):
        load_state(SpaceTimeMemoryNetwork(SPECS[name]), convert_released(state, SPECS[name]), "file")


def test_the_other_second_mask_channel_is_refused(released_state):
    spec = SPECS["stm-cycle-resnet18"].model_copy(update={"second_mask": "others"})
    with pytest.raises(WeightsError, match="conv1_bg"):
        load_state(SpaceTimeMemoryNetwork(spec), convert_released(dict(released_state), spec), "file")


def test_safetensors_carry_their_specification(tmp_path, tiny_network):
    save_weights(tiny_network, tmp_path / "w.safetensors")
    loaded = cyclevos.load_network(tmp_path / "w.safetensors", device="cpu", dtype="float32")
    assert loaded.spec == tiny_network.spec
    for name, value in tiny_network.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            torch.testing.assert_close(loaded.state_dict()[name], value)
    assert not any(p.requires_grad for p in loaded.parameters())
    assert [f.name for f in tmp_path.iterdir()] == ["w.safetensors"]


def test_saved_weights_can_be_read_by_colleagues_as_the_umask_allows(tmp_path, tiny_network):
    before = os.umask(0o027)
    try:
        save_weights(tiny_network, tmp_path / "w.safetensors")
        (tmp_path / "other").touch()
    finally:
        os.umask(before)
    modes = {f.name: f.stat().st_mode & 0o777 for f in tmp_path.iterdir()}
    assert modes["w.safetensors"] == modes["other"]
    assert os.name != "posix" or modes["other"] == 0o640


KILLED = """
import os, sys
from pathlib import Path
import torch
from cyclevos.network import tensor_files

def save_file(tensors, path, metadata=None):
    (Path(path).parent / ".tmpAbCdEf").write_bytes(b"half")  # as the library names its own temporary file
    os._exit(9)

tensor_files.save_file = save_file
tensor_files.write_safetensors({"a": torch.zeros(3)}, Path(sys.argv[1]))
"""


def test_a_kill_while_the_library_writes_leaves_only_what_the_next_write_or_the_clean_up_removes(tmp_path):
    path = tmp_path / "w.safetensors"
    write_safetensors({"a": torch.ones(3)}, path)
    for clean_up in (lambda: write_safetensors({"a": torch.ones(3)}, path), lambda: remove_leftovers(tmp_path)):
        assert subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False).returncode == 9
        assert len(list(tmp_path.rglob("*AbCdEf"))) == 1
        clean_up()
        assert [f.name for f in tmp_path.iterdir()] == ["w.safetensors"]
        assert torch.equal(load_file(path)["a"], torch.ones(3))


def test_weights_that_cannot_be_written_leave_the_old_ones(tmp_path, monkeypatch):
    def full(tensors, path, metadata=None):
        raise SafetensorError("No space left on device (os error 28)")

    write_safetensors({"a": torch.ones(3)}, tmp_path / "w.safetensors")
    monkeypatch.setattr("cyclevos.network.tensor_files.save_file", full)
    with pytest.raises(OutputError, match=r"w\.safetensors \(No space left.*Free some space"):
        write_safetensors({"a": torch.zeros(3)}, tmp_path / "w.safetensors")
    assert [f.name for f in tmp_path.iterdir()] == ["w.safetensors"]
    assert torch.equal(load_file(tmp_path / "w.safetensors")["a"], torch.ones(3))


class Bomb:
    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return os.mkdir, (str(self.file),)


@pytest.mark.parametrize("container", ["torch", "pickle"])
def test_code_in_a_file_never_runs(container, tmp_path):
    file, trace = tmp_path / "evil.pth", tmp_path / "trace"
    if container == "torch":
        torch.save({"state_dict": Bomb(trace)}, file)
    else:
        file.write_bytes(pickle.dumps(Bomb(trace)))
    with pytest.raises(WeightsError, match="could run code"):
        cyclevos.load_network(file)
    assert not trace.exists()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=300), suffix=st.sampled_from([".pth", ".pth.tar", ".safetensors"]))
def test_any_bytes_are_a_clear_error(tmp_path, content, suffix):
    file = tmp_path / f"w{suffix}"
    file.write_bytes(content)
    with pytest.raises(WeightsError, match="w\\" + suffix):
        cyclevos.load_network(file)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing-of-the-kind", "neither a named network"),
        ("stm-resnet50", "do not come with the package"),
        ("hf://short", "expected hf://owner/repository"),
    ],
)
def test_unknown_weights_say_what_there_is(name, message):
    with pytest.raises(WeightsError, match=message):
        cyclevos.load_network(name)


@pytest.mark.parametrize(("option", "value"), [("device", "warp-drive"), ("dtype", "float8")])
def test_unknown_device_or_dtype_is_named(option, value, tmp_path, tiny_network):
    save_weights(tiny_network, tmp_path / "w.safetensors")
    with pytest.raises(ConfigError, match=value):
        cyclevos.load_network(tmp_path / "w.safetensors", **{option: value})


NOT_HERE = [
    "warp-drive",
    "cuda:99",
    torch.device("cuda", 99),
    torch.device("meta"),
    "",
    "cpu:x",
    3.5,
    None,
    *([] if torch.backends.mps.is_available() else ["mps", torch.device("mps")]),
    *([] if torch.cuda.is_available() else ["cuda", torch.device("cuda")]),
]


def test_any_device_that_is_not_here_is_refused_with_a_remedy(tmp_path, tiny_network):
    save_weights(tiny_network, tmp_path / "w.safetensors")
    for device in NOT_HERE:
        with pytest.raises(ConfigError, match="cannot be used here") as caught:
            cyclevos.load_network(tmp_path / "w.safetensors", device=device)
        assert caught.value.problem.startswith("Device "), device
        assert caught.value.problem.endswith("."), device
        assert caught.value.remedy.startswith("Use auto, cpu"), device


def test_a_device_that_is_here_is_taken_as_it_is():
    assert resolve_device(torch.device("cpu")) == resolve_device("cpu") == torch.device("cpu")


def test_a_dtype_without_fractions_is_refused():
    with pytest.raises(ConfigError, match=r"torch.int64 is not a floating-point one\. Use auto, float32"):
        resolve_dtype(torch.int64, torch.device("cpu"))


def test_a_name_does_not_pass_for_another_networks_file(tmp_path, tiny_network, tiny_spec):
    save_weights(tiny_network, tmp_path / "own.safetensors")
    with pytest.raises(WeightsError, match="a network other than the named one: trunk is 'tf_efficientnet_lite0'"):
        cyclevos.load_network("stm-resnet50", weights=str(tmp_path / "own.safetensors"))
    other_size = tiny_spec.model_copy(update={"size": 64, "read_sigma": 3.0})
    assert network_from_file(tmp_path / "own.safetensors", other_size).spec == tiny_spec


@pytest.mark.parametrize(("capability", "dtype"), [((7, 5), torch.float16), ((8, 0), torch.bfloat16)])
def test_old_cuda_cards_get_float16(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert resolve_dtype("auto", torch.device("cuda")) == dtype
