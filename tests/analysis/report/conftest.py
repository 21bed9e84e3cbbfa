"""A small data set with frames, and runs over it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from report_inputs import FRAMES, HEIGHT, NASTY, SEQUENCES, START, WIDTH, clip, save, squares, write_run

from cyclevos.datasets.layouts import Dataset, open_dataset


@pytest.fixture(scope="session")
def data_root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data") / "set"
    rng = np.random.default_rng(0)
    for name, ids in SEQUENCES.items():
        for index, frame in enumerate(FRAMES):
            save(root / "Annotations" / name / f"{frame}.png", squares(ids, index))
            picture = rng.integers(90, 110, (HEIGHT, WIDTH, 3), dtype=np.uint8)
            (root / "JPEGImages" / name).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(root / "JPEGImages" / name / f"{frame}.jpg")
    return root


@pytest.fixture(scope="session")
def dataset(data_root) -> Dataset:
    return open_dataset(data_root, need_frames=False)


@pytest.fixture(scope="session")
def two_runs(tmp_path_factory) -> list[Path]:
    """`first` is 5 pixels off in `ape` and perfect in the other; `_second` is perfect and 4 pixels off."""
    place = tmp_path_factory.mktemp("runs")
    first = write_run(
        place / "first",
        {"ape": 5, NASTY: 0},
        reliability=0.9,
        manifest=[
            START,
            clip("ape", status="failed", error="out of memory", attempt=1),
            clip("ape", seconds=2.0, peak_memory_mb=700),
            clip(NASTY),
            '{"kind": "clip", "sequence": "ap',
        ],
    )
    return [first, write_run(place / "_second", {"ape": 0, NASTY: 4}, reliability=0.8)]


@pytest.fixture
def make_run(tmp_path) -> Callable[..., Path]:
    """`make_run(name, shifts, reliability=, manifest=)` writes a run of this test's own."""
    return lambda name, shifts, **options: write_run(tmp_path / name, shifts, **options)
