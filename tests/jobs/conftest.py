"""A job on ten frames with a random network, and states after every frame."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cyclevos.jobs import segment_job
from cyclevos.jobs.segment_job import SegmentJob
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.propagation.settings import SegmentationSettings


@pytest.fixture
def state_after_every_frame(monkeypatch):
    monkeypatch.setattr(segment_job, "_SECONDS_BETWEEN_STATES", -1)


@pytest.fixture
def mask_job(tmp_path, images, lively_network) -> SegmentJob:
    """A job on a folder of ten frames that saves masks, its dtype left to auto."""
    return job_in(tmp_path, images, lively_network)


@pytest.fixture(scope="module")
def shared_mask_job(tmp_path_factory, images, lively_network) -> SegmentJob:
    """A `mask_job` on frames that all tests of a file share; each test gives it an output of its own."""
    return job_in(tmp_path_factory.mktemp("shared"), images, lively_network)


@pytest.fixture
def closer_job(tmp_path, images, closer_network) -> SegmentJob:
    """A `mask_job` on three frames, with a network that looks closer at small objects."""
    return job_in(tmp_path, images[:3], closer_network)


def job_in(folder: Path, images: list[np.ndarray], network: SpaceTimeMemoryNetwork) -> SegmentJob:
    (folder / "clip").mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / "clip" / f"{index:05d}.png")
    save_weights(network, folder / "tiny.safetensors")
    mask = np.zeros(images[0].shape[:2], np.uint8)
    mask[6:16, 3:13] = 1
    return SegmentJob(
        folder / "clip",
        {0: MaskImage(mask, None)},
        folder / "out",
        SegmentationSettings(memory_every=2),
        NetworkSettings(str(folder / "tiny.safetensors"), device="cpu"),
        OutputSettings(save=("masks",), quiet=True),
    )
