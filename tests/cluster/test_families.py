"""Weights of another family on a cluster: workers find them, and what was fitted to them, as this process does."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from cli_inputs import save_frames, save_mask
from families import build

import cyclevos
from cyclevos.jobs.manifest import MANIFEST, read_manifest
from cyclevos.network.calibration import PACKAGED_CALIBRATION, WEIGHTS_SHA256, calibration_beside
from cyclevos.network.fingerprint import fingerprint
from cyclevos.network.tensor_files import write_safetensors
from cyclevos.pictures.mask_files import read_mask

pytest.importorskip("ray")


@pytest.fixture
def run(tmp_path, images):
    """Run `cyclevos segment-dataset` from the folder that holds data and weights, given by relative paths."""
    mask = np.zeros((24, 40), np.uint8)
    mask[6:16, 3:13] = 3
    save_frames(tmp_path / "data" / "JPEGImages" / "clip", images[:3])
    save_mask(tmp_path / "data" / "Annotations" / "clip" / "shot_000.png", mask)
    source = str(Path(cyclevos.__file__).parents[1])
    environment = {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}

    def started(*options: str) -> subprocess.CompletedProcess[str]:
        words = ["segment-dataset", "data", "--split", "none", "--dtype", "float32", "--quiet", *options]
        command = [sys.executable, "-m", "cyclevos", *words]
        return subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)

    return started


def test_a_folder_of_weights_and_its_predictor_are_found_by_the_workers(run, tmp_path):
    from safetensors.torch import load_file

    from cyclevos.network.sam2.build import save_sam2

    folder = tmp_path / "edge"
    save_sam2(build("edgetam"), folder)
    fitted_to = {WEIGHTS_SHA256: fingerprint(folder)}
    write_safetensors(load_file(PACKAGED_CALIBRATION), calibration_beside(folder), fitted_to)
    cluster = ("--cluster", "local", "--cluster-workers", "1")
    for output, place in (("here", ()), ("there", cluster)):
        answer = run("--weights", "edge", "--output", output, *place)
        assert answer.returncode == 0, answer.stderr
    here, there = (
        [read_mask(file).ids for file in sorted((tmp_path / name / "clip").glob("*.png"))] for name in ("here", "there")
    )
    assert len(here) == 3
    assert all(np.array_equal(a, b) for a, b in zip(here, there, strict=True))
    starts = [read_manifest(tmp_path / name / MANIFEST)[0][0] for name in ("here", "there")]
    assert starts[0]["weights"]["sha256"] == starts[1]["weights"]["sha256"] == fingerprint(folder)
    assert starts[0]["reliability"] == starts[1]["reliability"]
    assert "uncalibrated" not in (tmp_path / "there" / "clip" / "reliability.csv").read_text()
    shutil.rmtree(folder)
    answer = run("--weights", "edge", "--output", "nowhere")
    assert answer.returncode == 5
    assert "No weights 'edge'" in answer.stderr
