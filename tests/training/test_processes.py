"""Two processes train as one with the doubled batch does."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import yaml
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from cyclevos.training.config import load_config
from cyclevos.training.trainer import Trainer

TWO_PROCESSES = (sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2")


def curve(folder):
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    names = [name for name in events.Tags()["scalars"] if name.startswith("loss/")]
    return {name: [event.value for event in events.Scalars(name)] for name in names}


@pytest.fixture
def write_config(tiny_run, tmp_path):
    tree = {**tiny_run, "steps": 6, "precision": "no", "validation": {}, "checkpoint_every": 6}
    tree["optimiser"] = {**tiny_run["optimiser"], "ema": None}

    def write(name, batch):
        config = tmp_path / f"{name}.yaml"
        config.write_text(yaml.safe_dump({**tree, "batch": batch}))
        return str(config)

    return write


def launch(*arguments):
    """Run a program of Python in two processes."""
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    command = [*TWO_PROCESSES, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.slow
def test_two_processes_have_the_curve_of_one_with_the_doubled_batch(write_config, tmp_path, monkeypatch):
    launch("-m", "cyclevos", "train", write_config("two", 2), "--output", tmp_path / "two")
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    Trainer(load_config(write_config("one", 4), []), tmp_path / "one").run(lambda *_: None)
    one, two = curve(tmp_path / "one"), curve(tmp_path / "two")
    assert set(one) == set(two) >= {"loss/ce", "loss/iou", "loss/cycle_ce", "loss/total"}
    for name, values in one.items():
        assert len(values) == 6
        assert two[name] == pytest.approx(values, abs=1e-4), name


# Each process writes a file of its own: lines that two processes print at once may get mixed up.
FAILING = """
import sys
from pathlib import Path
from accelerate import Accelerator
from cyclevos.training.processes import together
accelerator = Accelerator(cpu=True)
for broken in (0, 1):
    done = []
    together(accelerator, lambda: done.append(1))
    together(accelerator, lambda: done.append(2), main_only=False)
    def work():
        if accelerator.process_index == broken:
            raise ValueError("the disk is full")
    try:
        together(accelerator, work, main_only=False)
    except Exception as error:
        answer = f"{done} {type(error).__name__} {error}"
        Path(sys.argv[1], f"{broken} {accelerator.process_index}.txt").write_text(answer, encoding="utf-8")
accelerator.end_training()
"""


@pytest.mark.slow
def test_a_failure_in_one_process_stops_the_others(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(FAILING)
    launch(program, tmp_path)
    for broken in (0, 1):
        answers = [(tmp_path / f"{broken} {process}.txt").read_text(encoding="utf-8") for process in (0, 1)]
        assert answers[0].startswith("[1, 2] ")
        assert answers[1].startswith("[2] ")
        assert answers[broken].endswith("ValueError the disk is full")
        expected = f"TrainingError Another training process failed (process {broken}: the disk is full)."
        assert expected in answers[1 - broken]


def test_a_single_process_passes_failures_on():
    from types import SimpleNamespace

    from cyclevos.training.processes import together

    alone = SimpleNamespace(is_main_process=True, process_index=0, num_processes=1)

    def fail() -> None:
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        together(alone, fail)
