"""A job on ten frames with a random network, and states after every frame."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from cyclevos.jobs import segment_job
from cyclevos.jobs.segment_job import SegmentJob
from cyclevos.jobs.settings import OutputSettings
from cyclevos.network.settings import NetworkSettings
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.pictures.mask_files import MaskImage
from cyclevos.propagation.settings import SegmentationSettings


@pytest.fixture
def state_after_every_frame(monkeypatch):
    monkeypatch.setattr(segment_job, "_SECONDS_BETWEEN_STATES", -1)


@pytest.fixture
def mask_job(tmp_path, images, lively_network) -> SegmentJob:
    """A job on a folder of ten frames that saves masks, its dtype left to auto."""
    (tmp_path / "clip").mkdir()
    for index, image in enumerate(images):
        Image.fromarray(image).save(tmp_path / "clip" / f"{index:05d}.png")
    save_weights(lively_network, tmp_path / "tiny.safetensors")
    mask = np.zeros(images[0].shape[:2], np.uint8)
    mask[6:16, 3:13] = 1
    return SegmentJob(
        tmp_path / "clip",
        {0: MaskImage(mask, None)},
        tmp_path / "out",
        SegmentationSettings(memory_every=2),
        NetworkSettings(str(tmp_path / "tiny.safetensors"), device="cpu"),
        OutputSettings(save=("masks",), quiet=True),
    )
