"""A generated data set and the smallest run worth calling one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from accelerate.state import AcceleratorState, GradientState, PartialState
from PIL import Image


@pytest.fixture(autouse=True)
def _fresh_accelerate():
    """Accelerate keeps its state between runs of one process."""
    yield
    AcceleratorState._reset_state(True)
    GradientState._reset_state()
    PartialState._reset_state()


@pytest.fixture(scope="session")
def training_data(tmp_path_factory) -> Path:
    """DAVIS-like sequences of two moving squares on noise, and still images under ``still``."""
    root = tmp_path_factory.mktemp("data")
    rng = np.random.default_rng(0)
    for name in ("one", "two", "held"):
        for i in range(5):
            ids = np.zeros((48, 64), np.uint8)
            ids[6:26, 4 + 4 * i : 24 + 4 * i] = 1
            ids[28:44, 40 - 3 * i : 60 - 3 * i] = 2
            frame = rng.integers(0, 90, (48, 64, 3)) + np.array([[0, 0, 0], [150, 0, 0], [0, 0, 150]])[ids]
            _save(root / "JPEGImages" / name / f"{i:05d}.jpg", frame.astype(np.uint8))
            _save(root / "Annotations" / name / f"{i:05d}.png", ids)
    _save(root / "still" / "images" / "a.jpg", frame.astype(np.uint8))
    _save(root / "still" / "masks" / "a.png", (ids == 1).astype(np.uint8) * 255)
    return root


@pytest.fixture(scope="session")
def tiny_run(training_data: Path) -> dict[str, Any]:
    """The configuration of a run of four steps with everything switched on."""
    return {
        "network": {
            # timm's own for tests: an eighth of the weights to compute, average, write and read of a lite0
            "spec": {"trunk": "test_efficientnet", "key_dim": 8, "value_dim": 12, "decoder_dim": 8},
            "imagenet": False,
            "freeze_until_stride": 4,
        },
        "data": {
            "sources": [
                {"root": str(training_data)},
                {"kind": "still", "root": str(training_data / "still")},
            ],
            "augmentation": {"size": [32, 32]},
            "min_pixels": 4,
            "workers": 0,
        },
        "optimiser": {"name": "adamw", "lr": 1e-3, "schedule": "cosine", "warmup": 2, "clip_norm": 1.0, "ema": 0.9},
        "validation": {
            "root": str(training_data),
            "sequences": ["held"],
            "size": 32,
            "every": 3,
            "max_frames": 3,
        },
        "steps": 4,
        "batch": 2,
        "log_every": 1,
        "checkpoint_every": 2,
        "size": 32,
    }


def _save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
