"""`segment-dataset --cluster`: a real local Ray with two workers, one of which is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from PIL import Image

from cyclevos.jobs.manifest import MANIFEST, read_manifest
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.pictures.palette import DAVIS_PALETTE

pytest.importorskip("ray")


@pytest.fixture
def dataset(tmp_path, images) -> Path:
    """Six clips of ten frames; the mask of one does not fit its frames."""
    root = tmp_path / "data"
    for number in range(6):
        for index, image in enumerate(images):
            path = root / "JPEGImages" / f"clip{number}" / f"{index:05d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.roll(image, 4 * number, axis=1)).save(path, quality=95)
        mask = np.zeros((20 if number == 3 else 24, 40), np.uint8)
        mask[6:16, 3:13] = 1
        path = root / "Annotations" / f"clip{number}" / "00000.png"
        path.parent.mkdir(parents=True)
        picture = Image.fromarray(mask)
        picture.putpalette(DAVIS_PALETTE)
        picture.save(path)
    return root


@pytest.fixture
def command(dataset, lively_network, tmp_path):
    save_weights(lively_network, tmp_path / "tiny.safetensors")

    def build(output: str, *options: str) -> list[str]:
        words = ["segment-dataset", str(dataset), "--split", "none", "--output", str(tmp_path / output)]
        words += ["--weights", str(tmp_path / "tiny.safetensors"), "--size", "none", "--dtype", "float32", "--quiet"]
        return [sys.executable, "-m", "cyclevos", *words, *options]

    return build


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


def test_a_killed_worker_and_a_broken_clip_stop_nobody_else(command, tmp_path):
    here = subprocess.run(command("here"), capture_output=True, text=True, check=False)
    assert here.returncode == 11, here.stderr
    process = subprocess.Popen(
        command("there", "--cluster", "local", "--cluster-workers", "2"),
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
    assert "1 of 6 sequences failed twice" in told
    assert "clip3: " in told
    assert checksums(tmp_path / "there") == checksums(tmp_path / "here")
    assert set(checksums(tmp_path / "there")) == {f"clip{n}" for n in (0, 1, 2, 4, 5)}
    run, *clips = read_manifest(tmp_path / "there" / MANIFEST)[0]
    assert run["workers"] == 2
    assert len({clip["worker"] for clip in clips}) >= 2


def test_an_address_where_nobody_answers_is_named(command):
    answer = subprocess.run(
        command("out", "--cluster", "127.0.0.1:1"), capture_output=True, text=True, check=False, timeout=120
    )
    assert answer.returncode == 6, answer.stderr
    assert "--cluster 127.0.0.1:1: no Ray cluster answers there" in answer.stderr
