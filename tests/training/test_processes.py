"""Two processes train as one with the doubled batch does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def curve(folder):
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    names = [name for name in events.Tags()["scalars"] if name.startswith("loss/")]
    return {name: [event.value for event in events.Scalars(name)] for name in names}


@pytest.fixture
def train(tiny_run, tmp_path):
    tree = {**tiny_run, "steps": 6, "precision": "no", "validation": {}, "checkpoint_every": 6}
    tree["optimiser"] = {**tiny_run["optimiser"], "ema": None}

    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}

    def run(name, processes, batch):
        config = tmp_path / f"{name}.yaml"
        config.write_text(yaml.safe_dump({**tree, "batch": batch}))
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", str(processes)]
        command = [sys.executable, *(launch if processes > 1 else []), "-m", "cyclevos"]
        command += ["train", str(config), "--output", str(tmp_path / name)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
        assert done.returncode == 0, done.stderr[-3000:]
        return curve(tmp_path / name)

    return run


def test_two_processes_have_the_curve_of_one_with_the_doubled_batch(train):
    one, two = train("one", 1, 4), train("two", 2, 2)
    assert set(one) == set(two) >= {"loss/ce", "loss/iou", "loss/cycle_ce", "loss/total"}
    for name, values in one.items():
        assert len(values) == 6
        assert two[name] == pytest.approx(values, abs=1e-4), name
