"""A random network whose masks are neither empty nor full, and a small scene for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cyclevos.network.spec import NetworkSpec
from cyclevos.network.stm import SpaceTimeMemoryNetwork

HEIGHT, WIDTH = 24, 40


@pytest.fixture(scope="session")
def lively_network(tiny_spec: NetworkSpec) -> SpaceTimeMemoryNetwork:
    torch.manual_seed(0)
    network = SpaceTimeMemoryNetwork(tiny_spec).eval().requires_grad_(False)
    network.decoder.prediction.weight.mul_(30)  # random weights alone hardly tell pixels apart
    return network


@pytest.fixture(scope="session")
def images() -> list[np.ndarray]:
    """Ten frames: a bright square moves right over a drifting texture."""
    rows, columns = np.mgrid[0:HEIGHT, 0:WIDTH].astype(float)
    frames = []
    for t in range(10):
        grey = 110 + 60 * np.sin(rows / 4 + t / 3) + 40 * np.cos(columns / 5)
        image = np.stack([grey, grey * 0.8, 200 - grey / 2], axis=-1)
        image[6:16, 3 + 2 * t : 13 + 2 * t] = [230, 60, 40]
        frames.append(image.clip(0, 255).astype(np.uint8))
    return frames


@pytest.fixture
def square() -> np.ndarray:
    """The square of the first frame as object 1."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[6:16, 3:13] = 1
    return mask


@pytest.fixture
def strip() -> np.ndarray:
    """Something else, as object 5, clear of the square."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[18:23, 20:36] = 5
    return mask
