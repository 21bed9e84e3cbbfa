"""Shared fixtures: where the real data is, and tiny networks that run in milliseconds."""

from __future__ import annotations

import gc
import logging
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from shortcuts import leave_files_to_the_system, leave_timelines_undrawn, remember_trunks

from cyclevos.app.projects.demos import DEMO
from cyclevos.jobs import review
from cyclevos.media.open_source import open_source
from cyclevos.media.timeline import write_timeline
from cyclevos.network import weights
from cyclevos.network.stm import spec
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.network.stm.spec import NetworkSpec
from cyclevos.network.traits import CloserLook

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"


# Tests that share something costly, so that `pytest -n` gives them to one process: Chromium, a Ray cluster.
GROUPS = {"app/browser": "browser", "cluster": "ray"}
# Files with a fixture that takes seconds, which two processes would both make: a build, a training run, networks.
WHOLE_FILES = (
    "analysis/report/test_pages.py",
    "app/test_no_500.py",
    "jobs/test_damage.py",
    "network/stm/test_checkpoints.py",
    "test_packaging.py",
    "test_site.py",
    "training/test_processes.py",
    "training/test_trainer.py",
)
# Folders of which every test is slow; single tests elsewhere carry the mark themselves.
SLOW = ("app/browser", "cluster")


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist looks for groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests by the folder that they lie in."""
    here = Path(__file__).parent
    for item in items:
        folder = item.path.parent.relative_to(here).as_posix() if here in item.path.parents else ""
        file = f"{folder}/{item.path.name}".removeprefix("./")
        if folder in GROUPS or file in WHOLE_FILES:
            item.add_marker(pytest.mark.xdist_group(GROUPS.get(folder, file)))
        if folder in SLOW:
            item.add_marker(pytest.mark.slow)


def pytest_configure() -> None:
    """Let Ctrl-C reach the programs that tests start: whoever runs tests in the background has them ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let a run show that no test depends on what this processor's fast dtype is."""
    parser.addoption(
        "--dtype", choices=("auto", "float32"), default="auto", help='what dtype="auto" means on a CPU in this run'
    )


@pytest.fixture(autouse=True, scope="session")
def _auto_dtype(request: pytest.FixtureRequest) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        if request.config.getoption("--dtype") == "float32":
            patched.setattr(weights, "_cpu_has_bfloat16", lambda: False)
        yield


@pytest.fixture(autouse=True, scope="session")
def _shortcuts() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patched:
        remember_trunks(patched)
        leave_timelines_undrawn(patched)
        leave_files_to_the_system(patched)
        yield


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect no garbage while tests are collected: nearly all that is made then is kept."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.fixture(autouse=True, scope="module")
def _short_garbage_collections() -> None:
    """Leave out what is there before a module's tests, millions of objects: the app collects after every job."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def drawn_timelines(monkeypatch) -> None:
    """Timelines of runs are charts, as for a user."""
    monkeypatch.setattr(review, "write_timeline", write_timeline)


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _warnings_alone() -> Iterator[None]:
    """Undo what a command with --verbose has done to the log."""
    yield
    logging.getLogger("cyclevos").setLevel(logging.NOTSET)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The project's real frames and masks; tests that need them skip where they are not."""
    if not SHARED.is_dir():
        pytest.skip(f"real data not found at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def cases() -> Path:
    """Small inputs in the dress of many tools, with what is right for each; tests of them skip where they are not."""
    folder = SHARED.parent / "cases"
    if not folder.is_dir():
        pytest.skip(f"small inputs not found at {folder}")
    return folder


@pytest.fixture(scope="session")
def tiny_spec() -> NetworkSpec:
    return NetworkSpec(trunk="tf_efficientnet_lite0", key_dim=8, value_dim=12, decoder_dim=8)


@pytest.fixture
def tiny_network(tiny_spec: NetworkSpec) -> SpaceTimeMemoryNetwork:
    return SpaceTimeMemoryNetwork(tiny_spec).eval().requires_grad_(False)


@pytest.fixture(scope="session")
def lively_network(tiny_spec: NetworkSpec) -> SpaceTimeMemoryNetwork:
    """A random network whose masks are neither empty nor full."""
    torch.manual_seed(0)
    network = SpaceTimeMemoryNetwork(tiny_spec).eval().requires_grad_(False)
    network.decoder.prediction.weight.mul_(30)  # random weights alone hardly tell pixels apart
    return network


@pytest.fixture
def closer_network(tiny_spec: NetworkSpec, monkeypatch: pytest.MonkeyPatch) -> SpaceTimeMemoryNetwork:
    """A random network like `default`: objects of 10 pixels in 24x40 frames are large enough for its own size 32."""
    monkeypatch.setattr(spec, "_CLOSER", CloserLook(length=13, most=2))
    torch.manual_seed(0)
    alike = tiny_spec.model_copy(update={"shared_encoder": True, "size": 32})
    network = SpaceTimeMemoryNetwork(alike).eval().requires_grad_(False)
    network.decoder.prediction.weight.mul_(30)
    return network


@pytest.fixture(scope="session")
def car_frame() -> np.ndarray:
    """The first frame of the demo clip of a car, 854x480."""
    frame: np.ndarray = next(iter(open_source(DEMO / "car-shadow.mp4"))).image
    return frame


@pytest.fixture(scope="session")
def images() -> list[np.ndarray]:
    """Ten frames of 40x24: a bright square moves right over a drifting texture."""
    rows, columns = np.mgrid[0:24, 0:40].astype(float)
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
    mask = np.zeros((24, 40), np.uint8)
    mask[6:16, 3:13] = 1
    return mask


@pytest.fixture
def strip() -> np.ndarray:
    """Something else, as object 5, clear of the square."""
    mask = np.zeros((24, 40), np.uint8)
    mask[18:23, 20:36] = 5
    return mask
