"""`segment-dataset --cluster`: a real local Ray with two workers, one of which is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from families import build
from PIL import Image
from safetensors.torch import load_file

import cyclevos
from cyclevos.cli import main as command_line
from cyclevos.jobs.manifest import MANIFEST, read_manifest
from cyclevos.network.calibration import PACKAGED_CALIBRATION, WEIGHTS_SHA256, calibration_beside
from cyclevos.network.fingerprint import fingerprint
from cyclevos.network.tensor_files import write_safetensors
from cyclevos.pictures.palette import DAVIS_PALETTE

pytest.importorskip("ray")

CLIPS = 6
BROKEN = 3
SEGMENT = ("segment-dataset", "data", "--split", "none", "--weights", "edge", "--dtype", "float32", "--quiet")


@pytest.fixture
def dataset(tmp_path, images, monkeypatch) -> None:
    """Six clips of ten frames under data/, given by a relative path; the mask of one does not fit its frames."""
    for number in range(CLIPS):
        for index, image in enumerate(images):
            path = tmp_path / "data" / "JPEGImages" / f"clip{number}" / f"{index:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.roll(image, 4 * number, axis=1)).save(path, quality=95)
        mask = np.zeros((20 if number == BROKEN else 24, 40), np.uint8)
        mask[6:16, 3:13] = 1
        path = tmp_path / "data" / "Annotations" / f"clip{number}" / "00000.png"
        path.parent.mkdir(parents=True)
        picture = Image.fromarray(mask)
        picture.putpalette(DAVIS_PALETTE)
        picture.save(path)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def weights(tmp_path) -> str:
    """A folder of another family's weights, with a predictor of reliability fitted to them: the fingerprint."""
    from cyclevos.network.sam2.build import save_sam2

    folder = tmp_path / "edge"
    save_sam2(build("edgetam"), folder)
    fitted_to = {WEIGHTS_SHA256: fingerprint(folder)}
    write_safetensors(load_file(PACKAGED_CALIBRATION), calibration_beside(folder), fitted_to)
    return fitted_to[WEIGHTS_SHA256]


@pytest.fixture
def call(monkeypatch) -> Callable[..., int]:
    """Run the program in this process; returns its exit code."""

    def run(*words: str) -> int:
        monkeypatch.setattr("sys.argv", ["cyclevos", *words])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        return int(ended.value.code or 0)

    return run


def checksums(folder: Path) -> dict[str, str]:
    records, unreadable = read_manifest(folder / MANIFEST)
    assert unreadable == 0
    done = [(line["sequence"], line["checksum"]) for line in records if line.get("status") == "done"]
    assert len(done) == len(dict(done)), "a clip is in the output once"
    return dict(done)


def workers_at_work(process: psutil.Process) -> list[psutil.Process]:
    found = []
    for child in process.children(recursive=True):
        try:
            if "ray::_Worker.run" in " ".join(child.cmdline()).split():
                found.append(child)
        except psutil.Error:
            pass
    return found


def test_workers_do_as_this_process_does_and_neither_a_killed_one_nor_a_broken_clip_stops_the_rest(
    dataset, weights, call, tmp_path
):
    """Weights of a folder, and what was fitted to them, are found by workers, whose working directory is another."""
    assert call(*SEGMENT, "--output", "here") == 11
    place = ("--output", "there", "--cluster", "local", "--cluster-workers", "2")
    environment = {**os.environ, "PYTHONPATH": str(Path(cyclevos.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(
        [sys.executable, "-m", "cyclevos", *SEGMENT, *place],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    watched, killed = psutil.Process(process.pid), None
    while process.poll() is None and killed is None:
        manifest = tmp_path / "there" / MANIFEST
        # Once a clip is done: whether its worker is killed now or another, two have been at work in the end.
        done = manifest.is_file() and any(line.get("status") == "done" for line in read_manifest(manifest)[0])
        workers = workers_at_work(watched) if done else []
        if workers:
            killed = workers[0].pid
            os.kill(killed, signal.SIGKILL)
        time.sleep(0.02)
    _, told = process.communicate(timeout=120)
    assert killed is not None, told
    assert process.returncode == 11, told
    assert f"1 of {CLIPS} sequences failed twice" in told
    assert f"clip{BROKEN}: " in told
    assert checksums(tmp_path / "there") == checksums(tmp_path / "here")
    assert set(checksums(tmp_path / "there")) == {f"clip{n}" for n in range(CLIPS) if n != BROKEN}
    (here, *_), (there, *clips) = (read_manifest(tmp_path / name / MANIFEST)[0] for name in ("here", "there"))
    assert there["workers"] == 2
    assert len({clip["worker"] for clip in clips}) >= 2
    assert here["weights"]["sha256"] == there["weights"]["sha256"] == weights
    assert here["reliability"] == there["reliability"]
    assert "uncalibrated" not in (tmp_path / "there" / "clip0" / "reliability.csv").read_text()


def test_an_address_where_nobody_answers_is_named(dataset, weights, call, capsys):
    assert call(*SEGMENT, "--output", "out", "--cluster", "127.0.0.1:1") == 6
    assert "--cluster 127.0.0.1:1: no Ray cluster answers there" in " ".join(capsys.readouterr().err.split())
