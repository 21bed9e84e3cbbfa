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


# Each process writes a file of its own: lines that two processes print at once may get mixed up.
FAILING_THEN_TRAINING = """
import sys
from pathlib import Path
from cyclevos.cli.main import main
from cyclevos.training.processes import together
from cyclevos.training.trainer import Trainer
folder, run = sys.argv.pop(1), Trainer.run
def fail_and_run(trainer, *arguments):
    for broken in (0, 1):
        done = []
        together(trainer.accelerator, lambda: done.append(1))
        together(trainer.accelerator, lambda: done.append(2), main_only=False)
        def work():
            if trainer.accelerator.process_index == broken:
                raise ValueError("the disk is full")
        try:
            together(trainer.accelerator, work, main_only=False)
        except Exception as error:
            answer = f"{done} {type(error).__name__} {error}"
            Path(folder, f"{broken} {trainer.accelerator.process_index}.txt").write_text(answer, encoding="utf-8")
    return run(trainer, *arguments)
Trainer.run = fail_and_run
main()
"""


@pytest.fixture(scope="module")
def write_config(tiny_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("configurations")
    tree = {**tiny_run, "steps": 6, "precision": "no", "validation": {}, "checkpoint_every": 6}
    tree["optimiser"] = {**tiny_run["optimiser"], "ema": None}

    def write(name, batch):
        config = folder / f"{name}.yaml"
        config.write_text(yaml.safe_dump({**tree, "batch": batch}))
        return str(config)

    return write


@pytest.fixture(scope="module")
def two(write_config, tmp_path_factory):
    """Folder of two processes that have met failures, one after the other, and then trained."""
    folder = tmp_path_factory.mktemp("two")
    program = folder / "program.py"
    program.write_text(FAILING_THEN_TRAINING)
    environment = {**os.environ, "ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1"}
    arguments = (program, folder, "train", write_config("two", 2), "--output", folder / "run")
    command = [*TWO_PROCESSES, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    return folder


@pytest.mark.slow
def test_two_processes_have_the_curve_of_one_with_the_doubled_batch(two, write_config, tmp_path, monkeypatch):
    monkeypatch.setenv("ACCELERATE_USE_CPU", "true")
    Trainer(load_config(write_config("one", 4), []), tmp_path / "one").run(lambda *_: None)
    one, both = curve(tmp_path / "one"), curve(two / "run")
    assert set(one) == set(both) >= {"loss/ce", "loss/iou", "loss/cycle_ce", "loss/total"}
    for name, values in one.items():
        assert len(values) == 6
        assert both[name] == pytest.approx(values, abs=1e-4), name


@pytest.mark.slow
def test_a_failure_in_one_process_stops_the_others(two):
    for broken in (0, 1):
        answers = [(two / f"{broken} {process}.txt").read_text(encoding="utf-8") for process in (0, 1)]
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
