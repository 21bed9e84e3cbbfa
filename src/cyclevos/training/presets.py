"""The presets in the package; imports nothing heavy, so that the command line can complete their names."""

from __future__ import annotations

from pathlib import Path


def presets() -> dict[str, Path]:
    """Return the files of the packaged presets by name."""
    folder = Path(__file__).resolve().parents[1] / "configs"
    return {file.stem: file for file in sorted(folder.glob("*.yaml"), key=lambda file: file.stem)}
