"""A prompter whose answers can be worked out by hand, and data sets on disk for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

CELL = 10


class CellPrompter:
    """Adds the cell of 10 x 10 pixels under each click to a mask, or takes it away; fills a box as it is.

    Attributes:
        calls: what it was given: points, labels, box and the share of the mask above 0.5, None for no mask.
    """

    name = "cells"

    def __init__(self) -> None:
        self.calls: list[tuple[list, list, object, float | None]] = []

    def __call__(self, image, points=(), labels=None, box=None, mask=None):
        self.calls.append((list(points), list(labels or []), box, None if mask is None else float(np.mean(mask > 0.5))))
        found = np.zeros(image.shape[:2], np.float32) if mask is None else np.array(mask, np.float32)
        if box is not None:
            left, top, right, bottom = map(round, box)
            found[top:bottom, left:right] = 0.9
        for (x, y), label in zip(points, labels or [], strict=True):
            row, column = (int(v) // CELL * CELL for v in (y, x))
            found[row : row + CELL, column : column + CELL] = 0.9 if label else 0.1
        return found

    def candidates(self, *arguments, **prompts):
        return [self(*arguments, **prompts)]


def bar(cells: int, object_id: int = 1, row: int = 0, size: tuple[int, int] = (40, 60)) -> np.ndarray:
    """Ids of an object that is a row of cells, from the left edge."""
    ids = np.zeros(size, np.uint8)
    ids[CELL * row : CELL * (row + 1), : CELL * cells] = object_id
    return ids


def save_sequence(root: Path, name: str, masks: list[np.ndarray | None]) -> None:
    """Write frames, grey as they are, and the masks of some."""
    for index, ids in enumerate(masks):
        shape = next(each.shape for each in masks if each is not None)
        save(root / "JPEGImages" / name / f"{index:05d}.png", np.full((*shape, 3), 100 + index, np.uint8))
        if ids is not None:
            save(root / "Annotations" / name / f"{index:05d}.png", ids)


def save(path: Path, pixels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)
