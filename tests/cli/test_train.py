"""``cyclevos train``: from the command line to weights on disk."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import typer
import yaml
from accelerate.state import AcceleratorState, GradientState
from PIL import Image
from typer.testing import CliRunner

from cyclevos.cli.train import train
from cyclevos.errors import ConfigError, DatasetError, OutputError
from cyclevos.network.stm.family import build_network
from cyclevos.network.weights import load_network
from cyclevos.training.config import load_config

app = typer.Typer()
app.command()(train)


@pytest.fixture(autouse=True)
def _fresh_accelerate():
    yield
    AcceleratorState._reset_state(True)
    GradientState._reset_state()


@pytest.fixture
def run_file(tmp_path) -> Path:
    for i in range(3):
        ids = np.zeros((40, 40), np.uint8)
        ids[5:30, 5 + i : 30 + i] = 1
        for folder, pixels in (("JPEGImages", np.stack([ids * 90] * 3, axis=2)), ("Annotations", ids)):
            path = tmp_path / "set" / folder / "one" / f"{i:05d}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(path)
    tree = {
        "network": {
            "spec": {"trunk": "test_efficientnet", "key_dim": 8, "value_dim": 12, "decoder_dim": 8},
            "imagenet": False,
        },
        "data": {"sources": [{"root": "set"}], "augmentation": {"size": [32, 32]}, "workers": 0, "min_pixels": 4},
        "steps": 5,
        "batch": 1,
    }
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(tree))
    return tmp_path / "small.yaml"


def test_train_writes_weights_where_it_says_and_goes_on_when_asked_again(run_file, monkeypatch):
    monkeypatch.chdir(run_file.parent)
    command = ["small.yaml", "--set", "steps=1", "--set", "size=32"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    written = run_file.parent / "runs" / "small" / "last.safetensors"
    assert "weights: runs/small/last.safetensors" in result.stdout
    assert load_network(written, device="cpu").spec.size == 32
    before = written.stat().st_mtime_ns
    again = CliRunner().invoke(app, [*command, "--quiet"], catch_exceptions=False)
    assert again.stdout.splitlines() == ["weights: runs/small/last.safetensors"]
    assert again.stderr == ""
    assert written.stat().st_mtime_ns == before
    with pytest.raises(OutputError, match="different: steps, size"):
        CliRunner().invoke(app, ["small.yaml"], catch_exceptions=False)


def test_a_dry_run_says_what_all_steps_take_and_writes_nothing(run_file, monkeypatch):
    monkeypatch.chdir(run_file.parent)
    before = sorted(run_file.parent.rglob("*"))
    command = ["small.yaml", "--dry-run", "--set", "steps=7200", "--set", "optimiser.lr=1e-4"]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    assert sorted(run_file.parent.rglob("*")) == before
    told = result.stdout.splitlines()
    assert told[0] == "set: 1 sequence, 3 annotated frames, 100.0% of the samples"
    trained, frozen = (int(n.replace(",", "")) for n in re.findall(r"[\d,]*\d", told[1]))
    network = build_network(load_config("small.yaml", []).network.spec)
    assert trained + frozen == sum(p.numel() for p in network.parameters())
    assert "1 sample a step (1 in each of 1 process on cpu)" in told[2]
    seconds, hours = (float(n) for n in re.search(r"([\d.]+) s a step, 7,200 steps: ([\d.]+) hours", told[3]).groups())
    assert hours == pytest.approx(2 * seconds, abs=0.1)
    assert 4 * trained < 2**20 * int(re.search(r"a checkpoint: (\d+) MB", told[4])[1]) + 2**20
    with pytest.raises(DatasetError, match="nowhere"):
        CliRunner().invoke(app, [*command, "--set", "data.sources.0.root=nowhere"], catch_exceptions=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["papper"],
            r"There is no configuration 'papper'.*compact, compact-context, compact-crowd, compact-further, paper",
        ),
        (["paper", "--set", "optimiser.lrr=1"], "did you mean 'lr'"),
    ],
)
def test_wrong_commands_are_explained(arguments, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=message):
        CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert list(tmp_path.iterdir()) == []
