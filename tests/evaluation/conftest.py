"""A small data set on disk and results for it, shared by the evaluation's tests."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def _write_mask(path: Path, ids: np.ndarray, mode: str = "P") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids.astype(np.uint8))
    if mode == "P":
        image.putpalette(bytes(range(256)) * 3)
    image.convert(mode).save(path)


def _draw_objects(ids: list[int], shift: int = 0, shape: tuple[int, int] = (40, 60)) -> np.ndarray:
    """Squares of 12 pixels side by side, one per id."""
    mask = np.zeros(shape, dtype=np.uint8)
    for index, object_id in enumerate(ids):
        left = 3 + 18 * index + shift
        mask[10:22, left : left + 12] = object_id
    return mask


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Ground truth and perfect results of `one` (object 1) and `two` (objects 2 and 7), 6 frames each."""
    truth, results = tmp_path / "truth", tmp_path / "results"
    for sequence, ids in (("one", [1]), ("two", [2, 7])):
        for index in range(6):
            name = f"{index:05d}.png"
            _write_mask(truth / "Annotations" / sequence / name, _draw_objects(ids, index))
            _write_mask(results / sequence / name, _draw_objects(ids, index))
    return truth, results


@pytest.fixture(scope="session")
def write_mask():
    """`write_mask(path, ids, mode)` writes an image file, folders included."""
    return _write_mask


@pytest.fixture(scope="session")
def draw_objects():
    """`draw_objects(ids, shift, shape)` draws a mask."""
    return _draw_objects
