"""Runs commands of cyclevos in a folder of results, for the scripts that gather evidence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def work_in(output: Path, data: Path) -> None:
    """Make a folder the working directory, with the data linked there as data/, as presets expect it."""
    output, data = output.resolve(), data.resolve()
    output.mkdir(parents=True, exist_ok=True)
    os.chdir(output)
    if not Path("data").exists():
        Path("data").symlink_to(data, target_is_directory=True)


def command(*words: str) -> None:
    """Run a command of cyclevos; stop if it fails."""
    print("cyclevos", *words, flush=True)
    subprocess.run([sys.executable, "-m", "cyclevos", *words], check=True)
