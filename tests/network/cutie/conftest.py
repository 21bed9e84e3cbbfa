from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cyclevos.network.cutie.build import build_cutie
from cyclevos.network.cutie.network import CutieNetwork

Film = Callable[[int, int, int], tuple[list[np.ndarray], list[np.ndarray]]]


@pytest.fixture(scope="session")
def network() -> CutieNetwork:
    """The small Cutie with random weights, whose masks are neither empty nor full and follow the memory."""
    torch.manual_seed(0)
    network = build_cutie("small")
    network.cutie.mask_decoder.pred.weight.mul_(4)
    network.cutie.mask_decoder.pred.bias.fill_(-1.5)
    network.cutie.key_proj.key_proj.weight.mul_(0.4)  # otherwise a cell or two get all votes of the memory read
    return network


@pytest.fixture(scope="session")
def film() -> Film:
    """Frames (H,W,3) of two squares that move over noise, and their ids (H,W)."""

    def shot(height: int, width: int, count: int) -> tuple[list[np.ndarray], list[np.ndarray]]:
        rng = np.random.default_rng(1)
        backdrop = rng.integers(0, 120, (height, width, 3), dtype=np.uint8)
        frames, masks = [], []
        for t in range(count):
            ids = np.zeros((height, width), dtype=np.uint8)
            ids[8 : height // 2, 2 + 2 * t : 30 + 2 * t] = 1
            ids[height // 2 - 5 : height - 12, width - 40 - t : width - 12 - t] = 2
            frame = backdrop.copy()
            frame[ids == 1] = [230, 60, 40]
            frame[ids == 2] = [40, 90, 210]
            frames.append(np.roll(frame, t, axis=0))
            masks.append(np.roll(ids, t, axis=0))
        return frames, masks

    return shot
