"""The colours of objects can be told apart, and those for the colour-blind by the colour-blind."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

import cyclevos
from cyclevos.app.projects.project_file import default_palette

_TO_CONES = [[0.4122, 0.5363, 0.0514], [0.2119, 0.6807, 0.1074], [0.0883, 0.2817, 0.6300]]
_TO_LAB = [[0.2105, 0.7936, -0.0041], [1.9780, -2.4286, 0.4506], [0.0259, 0.7828, -0.8087]]
# Machado, Oliveira and Fernandes (2009), severity 1, in linear RGB.
_WITHOUT = {
    "red": [[0.1523, 1.0526, -0.2049], [0.1145, 0.7863, 0.0992], [-0.0039, -0.0481, 1.0520]],
    "green": [[0.3673, 0.8606, -0.2280], [0.2801, 0.6725, 0.0474], [-0.0118, 0.0429, 0.9689]],
}


def _nearest(colours: list[str], without: str | None = None) -> float:
    """The smallest distance between two of the colours in OKLab, in which black and white are 1 apart."""
    values = np.array([[int(colour[k : k + 2], 16) for k in (1, 3, 5)] for colour in colours]) / 255
    linear = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    if without is not None:
        linear = np.clip(linear @ np.transpose(_WITHOUT[without]), 0, 1)
    lab = np.cbrt(linear @ np.transpose(_TO_CONES)) @ np.transpose(_TO_LAB)
    apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
    return float(apart[~np.eye(len(colours), dtype=bool)].min())


@pytest.fixture
def safe() -> list[str]:
    text = (Path(cyclevos.__file__).parent / "app/static/js/canvas/palette.js").read_text(encoding="utf-8")
    return re.findall(r'"(#[0-9a-f]{6})"', text.split("SAFE_COLOURS = [")[1].split("]")[0])


@pytest.mark.parametrize(("count", "apart"), [(5, 0.3), (9, 0.2), (16, 0.14), (30, 0.12)])
def test_the_colours_of_new_projects_are_far_from_each_other(count, apart):
    assert _nearest(default_palette()[1 : count + 1]) > apart


@pytest.mark.parametrize("without", [None, "red", "green"])
def test_the_colours_for_the_colour_blind_are_apart_for_everyone(safe, without):
    assert len(safe) == 30
    assert _nearest(safe[:5], without) > 0.2
    assert _nearest(safe, without) > 0.07
