"""Two masks for the shared scene."""

from __future__ import annotations

import numpy as np
import pytest

HEIGHT, WIDTH = 24, 40


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
