"""A prompter that needs no weights: what it finds can be foretold, and it remembers what it was asked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from cyclevos.prompts.obeying import obeyed
from cyclevos.prompts.prompts import prompts_of


class SquarePrompter:
    """Finds a square around the mean of the clicks on the object, or the box, with a probability of its own.

    Args:
        half: half the side of the square in pixels; 0 = it finds nothing but the clicks.
        probability: within what it finds.
    """

    name = "square"

    def __init__(self, half: int = 4, probability: float = 0.9) -> None:
        self.half, self.probability = half, probability
        self.asked: list[dict[str, Any]] = []

    def __call__(
        self, image: Any, points: Any = (), labels: Any = None, box: Any = None, mask: Any = None
    ) -> NDArray[np.float32]:
        self.asked.append({"image": image, "points": points, "labels": labels, "box": box, "mask": mask})
        prompts = prompts_of(points, labels, box)
        found = np.full(image.shape[:2], 0.1, np.float32)
        if mask is not None:
            found[mask] = self.probability
        on = [click for click in prompts.clicks if click.positive]
        if prompts.box is not None and self.half:
            left, top, right, bottom = map(int, prompts.box)
            found[top:bottom, left:right] = self.probability
        elif on and self.half and mask is None:
            row, column = (int(np.mean([click.pixel[axis] for click in on])) for axis in (0, 1))
            rows, columns = (slice(max(0, at - self.half), at + self.half) for at in (row, column))
            found[rows, columns] = self.probability
        return obeyed(found, prompts)

    def candidates(
        self, image: Any, points: Any = (), labels: Any = None, box: Any = None, mask: Any = None
    ) -> list[NDArray[np.float32]]:
        return [self(image, points, labels, box, mask)]
