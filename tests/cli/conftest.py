"""Weights of a random network in a file, small clips, and the command line called as a user would."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from cli_inputs import HEIGHT, WIDTH, save_frames, save_mask
from PIL import Image

from cyclevos.cli import main as command_line
from cyclevos.network.stm.checkpoints import save_weights
from cyclevos.network.stm.network import SpaceTimeMemoryNetwork
from cyclevos.pictures.palette import DAVIS_PALETTE


@dataclass(frozen=True)
class Answer:
    code: int
    out: str
    err: str


Call = Callable[..., Answer]


@pytest.fixture
def call(monkeypatch, capsys) -> Call:
    """Run `cyclevos ARGUMENTS` in this process, exit code and messages as in a shell."""

    def run(*arguments: object) -> Answer:
        monkeypatch.setattr("sys.argv", ["cyclevos", *map(str, arguments)])
        capsys.readouterr()
        code = 0
        try:
            command_line.main()
        except SystemExit as exit_:
            code = exit_.code if isinstance(exit_.code, int) else 0 if exit_.code is None else 1
        streams = capsys.readouterr()
        return Answer(code, streams.out, streams.err)

    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    return run


@pytest.fixture(scope="session")
def weights(lively_network: SpaceTimeMemoryNetwork, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_weights(lively_network, path)
    return path


@pytest.fixture(scope="session")
def images(images) -> list[np.ndarray]:
    return images[:6]


@pytest.fixture
def ids() -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[6:16, 3:13] = 2
    mask[18:23, 20:36] = 7
    return mask


@pytest.fixture
def clip(tmp_path, images) -> Path:
    """A folder of six frames."""
    return save_frames(tmp_path / "clip", images)


@pytest.fixture
def mask(tmp_path, ids) -> Path:
    return save_mask(tmp_path / "first.png", ids)


@pytest.fixture
def segment(call, clip, mask, weights, tmp_path) -> Call:
    """Run `cyclevos segment` on the clip; options of the test's own come last and win."""

    def run(*options: object, source: Path = clip, masks: Path = mask, output: Path = tmp_path / "out") -> Answer:
        base = ("--masks", masks, "--output", output, "--weights", weights)
        return call("segment", source, *base, "--size", "none", "--dtype", "float32", "--quiet", *options)

    return run


@pytest.fixture
def davis(tmp_path, images, ids) -> Path:
    """Two sequences in DAVIS's layout; the second has one object, written as 255."""
    root = tmp_path / "DAVIS"
    for name, first in (("ape", ids), ("bee", np.where(ids == 2, 255, 0).astype(np.uint8))):
        folder = root / "JPEGImages" / "480p" / name
        folder.mkdir(parents=True)
        for index, image in enumerate(images[:3]):
            Image.fromarray(image).save(folder / f"{index:05d}.jpg", quality=95)
            save_mask(root / "Annotations" / "480p" / name / f"{index:05d}.png", first, DAVIS_PALETTE)
    (root / "ImageSets" / "2017").mkdir(parents=True)
    (root / "ImageSets" / "2017" / "val.txt").write_text("ape\nbee\n")
    return root
