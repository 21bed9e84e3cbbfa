"""Shared fixtures: where the real data is, and tiny networks that run in milliseconds."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cyclevos.network.spec import NetworkSpec
from cyclevos.network.stm import SpaceTimeMemoryNetwork

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The project's real frames and masks; tests that need them skip where they are not."""
    if not SHARED.is_dir():
        pytest.skip(f"real data not found at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def tiny_spec() -> NetworkSpec:
    return NetworkSpec(trunk="tf_efficientnet_lite0", key_dim=8, value_dim=12, decoder_dim=8)


@pytest.fixture
def tiny_network(tiny_spec: NetworkSpec) -> SpaceTimeMemoryNetwork:
    return SpaceTimeMemoryNetwork(tiny_spec).eval().requires_grad_(False)
