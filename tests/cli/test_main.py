"""The command line as the shell sees it: help, exit codes, and what a kill leaves."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import cyclevos
from cyclevos.cli.main import app

SOURCE = Path(cyclevos.__file__).parents[1]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1", "NO_COLOR": "1", "COLUMNS": "200"}

# Slow enough to be caught in the middle, with its memory on disk after every frame.
SLOW = """
import sys, time
from cyclevos.cli import main
from cyclevos.jobs import segment_job
from cyclevos.media import writers
segment_job._SECONDS_BETWEEN_STATES = -1
write = writers.MaskWriter.write
def slow(self, frame, *arguments, **options):
    if frame.index == 3:
        time.sleep(60)
    write(self, frame, *arguments, **options)
writers.MaskWriter.write = slow
main.main()
"""


def shell(*arguments, code=None):
    program = ["-m", "cyclevos"] if code is None else ["-c", code]
    command = [sys.executable, *program, *map(str, arguments)]
    return subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120, check=False)


def test_a_warning_looks_like_an_error_and_names_no_module():
    code = (
        "import logging, sys; from cyclevos.cli.main import app; sys.argv = ['cyclevos', 'weights', '--json']; "
        "app(standalone_mode=False); logging.getLogger('cyclevos.some.part').warning('look'); "
        "logging.getLogger('library').warning('hm')"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT)
    assert done.stderr.splitlines()[-2:] == ["warning: look", "library: hm"]


def test_help_loads_nothing_heavy():
    done = shell(
        "--help",
        code="import sys, atexit\n"
        "atexit.register(lambda: print('LOADED', *{m.split('.')[0] for m in sys.modules}))\n"
        "from cyclevos.cli.main import main\nmain()",
    )
    assert done.returncode == 0, done.stderr
    assert "segment-dataset" in done.stdout
    loaded = set(done.stdout.split("LOADED ")[1].split())
    assert not loaded & {"torch", "numpy", "av", "PIL", "scipy", "timm", "pydantic", "torchvision"}


@pytest.mark.parametrize("command", [each.name or each.callback.__name__ for each in app.registered_commands])
def test_every_command_has_help(call, command):
    answer = call(command, "--help")
    assert answer.code == 0
    assert f" {command} [OPTIONS]" in answer.out


@pytest.mark.parametrize("command", [each.name or each.callback.__name__ for each in app.registered_commands])
def test_no_help_is_cut_off_at_80_columns(call, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "80")
    answer = call(command, "--help")
    assert max(map(len, answer.out.splitlines())) == 80
    assert "…" not in answer.out


def test_version(call):
    assert call("--version").out.strip() == f"cyclevos {cyclevos.__version__}"


def test_no_command_shows_the_help(call):
    answer = call()
    assert "segment-dataset" in answer.out + answer.err


def test_an_unknown_command(call):
    answer = call("sgment")
    assert answer.code == 2
    assert "segment" in answer.err


@pytest.mark.parametrize("place", ["before", "after", "none"])
def test_verbose_makes_only_this_program_louder(place, tmp_path):
    code = (
        "import logging; from cyclevos.cli import main, report\n"
        "import cyclevos.analysis.report.pages as pages\n"
        "def work(*a, **k):\n"
        "    logging.getLogger('cyclevos.some.part').info('heard')\n"
        "    logging.getLogger('other').info('library')\n"
        "pages.write_report = work\nmain.main()"
    )
    arguments = ["report", tmp_path, "--output", tmp_path / "out"]
    arguments = {"before": ["-v", *arguments], "after": [*arguments, "--verbose"], "none": arguments}[place]
    done = shell(*arguments, code=code)
    assert done.returncode == 0, done.stderr
    assert ("cyclevos.some.part: heard" in done.stderr) is (place != "none")
    assert "library" not in done.stderr


def complete(*words):
    environment = {
        **ENVIRONMENT,
        "_CYCLEVOS_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(map(str, ("cyclevos", *words))),
        "COMP_CWORD": str(len(words)),
    }
    code = "import sys; sys.argv = ['cyclevos']; from cyclevos.cli.main import main; main()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    return done.stdout.split()


def test_the_shell_completes_commands_presets_and_splits(tmp_path):
    assert set(complete("seg")) == {"segment", "segment-dataset"}
    assert set(complete("train", "paper")) == {"paper", "paper-static"}
    (tmp_path / "ImageSets" / "2017").mkdir(parents=True)
    for name in ("train", "val"):
        (tmp_path / "ImageSets" / "2017" / f"{name}.txt").touch()
    assert complete("evaluate", "results", "--dataset", tmp_path, "--split", "v") == ["val"]
    assert complete("submission", "results", "--dataset", tmp_path / "none", "--split", "v") == []


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals and pipes")
def test_an_interrupt_and_a_closed_pipe_are_quiet():
    code = (
        "import os, signal; from cyclevos.cli import main; import cyclevos.datasets.layouts as layouts\n"
        "layouts.open_dataset = lambda *a, **k: os.kill(os.getpid(), signal.SIGINT)\nmain.main()"
    )
    done = shell("evaluate", "results", "--dataset", "data", code=code)
    assert (done.returncode, done.stdout, done.stderr.strip()) == (130, "", "")
    command = [sys.executable, "-m", "cyclevos", "--help"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, env=ENVIRONMENT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_error_is_one_plain_line_and_its_exit_code():
    done = shell("segment", "[bold]clip.mp4", "--masks", "m.png", "--output", "out", "--size", "[red]")
    assert done.returncode == 6
    assert done.stderr == "error: --size '[red]' is not a size. Give auto, none, or a number of pixels from 16.\n"
    assert done.stdout == ""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_a_killed_run_goes_on_to_byte_identical_masks(segment, clip, mask, weights, tmp_path):
    out, whole = tmp_path / "out", tmp_path / "whole"
    options = ["--masks", mask, "--output", out, "--weights", weights, "--size", "none", "--dtype", "float32"]
    command = [sys.executable, "-c", SLOW, "segment", clip, *options, "--quiet"]
    process = subprocess.Popen([str(part) for part in command], env=ENVIRONMENT)
    try:
        deadline = time.monotonic() + 100
        while not (out / "shot_002.png").exists() or not (out / "state.safetensors").exists():
            assert process.poll() is None, "it has ended by itself"
            assert time.monotonic() < deadline, "it does not get anywhere"
            time.sleep(0.05)
    finally:
        process.kill()
        process.wait()
    assert not (out / "shot_003.png").exists()
    answer = segment(output=out)
    assert answer.code == 0, answer.err
    assert segment(output=whole).code == 0
    for path in sorted(whole.glob("*.png")):
        assert path.read_bytes() == (out / path.name).read_bytes(), path.name
    assert len(list(out.glob("*.png"))) == 6
    assert not list(out.glob(".*.tmp"))
