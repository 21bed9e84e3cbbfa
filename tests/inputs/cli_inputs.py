"""Frames and masks on disk, as users have them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 24, 40
PALETTE = bytes(range(255, -1, -1)) * 3  # nobody's default


def save_mask(path: Path, ids: np.ndarray, palette: bytes | None = PALETTE) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids)
    if palette is not None:
        image.putpalette(palette)
    image.save(path)
    return path


def save_frames(folder: Path, images: list[np.ndarray]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for index, image in enumerate(images):
        Image.fromarray(image).save(folder / f"shot_{index:03d}.png")
    return folder
