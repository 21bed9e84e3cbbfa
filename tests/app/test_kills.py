"""A process that makes, copies, deletes, restores and renames projects, and undoes steps, is killed at any moment."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import restless_worker
from PIL import Image

import cyclevos
from cyclevos.app.projects.workspace import Workspace

KILLS = 2


@pytest.fixture
def projects(tmp_path) -> Path:
    """A folder of projects, with one in its first state."""
    video = tmp_path / "clip"
    video.mkdir()
    for index in range(12):
        Image.fromarray(np.full((60, 80, 3), 20 * index, np.uint8)).save(video / f"{index:03d}.png")
    folder = tmp_path / "projects"
    workspace = Workspace(folder, [tmp_path])
    restless_worker.put_state(workspace.create(video), 0)
    workspace.close()
    return folder


def killed(projects: Path, seed: int, seconds: float) -> None:
    """Let a process work for a while, and kill it."""
    environment = {**os.environ, "PYTHONPATH": str(Path(cyclevos.__file__).parents[1]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, restless_worker.__file__, str(projects), str(seed)]
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        assert worker.stdout.readline() == "ready\n"
        time.sleep(seconds)  # any moment will do
        assert worker.poll() is None, "it works until it is killed"
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()


def check(projects: Path) -> list[tuple[str, int | str | None]]:
    """Whoever starts next finds whole projects and nothing else; returns them with their states."""
    workspace = Workspace(projects, [projects.parent])
    try:
        deleted = workspace.trash.listing()
        for entry in deleted:
            workspace.restore(entry["id"])
        listed = workspace.listing()
        assert restless_worker.ID in [entry["id"] for entry in listed], "it is never lost"
        assert [entry for entry in listed if "problem" in entry] == []
        folders = {path.name for path in projects.iterdir() if path.name != ".deleted"}
        assert folders == {entry["id"] for entry in listed}, "nothing half made is left"
        assert not any((projects / ".deleted").glob("*"))
        found = []
        for entry in listed:
            project = workspace.get(entry["id"])
            found.append((entry["id"], restless_worker.state_of(project)))
            left = [path.name for path in project.folder.rglob("*.tmp")] + [*project.folder.glob("ready")]
            assert left == []
            assert not project.steps.unfinished.is_pending
        return found
    finally:
        workspace.close()


def test_a_kill_at_any_moment_leaves_whole_projects_and_nothing_else(projects):
    choose = random.Random()
    for number in range(KILLS):
        seed, seconds = choose.randrange(10**6), choose.uniform(0.1, 1.5)
        killed(projects, seed, seconds)
        found = check(projects)
        for name, state in found:
            # Another one that was just made is empty until its first step.
            assert state in ((0, 1) if name == restless_worker.ID else (0, 1, "empty")), (number, seed, seconds, found)
