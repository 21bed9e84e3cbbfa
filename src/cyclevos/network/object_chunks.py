"""Objects in chunks: how many a network takes at a time, and what happens when a GPU has no room for them."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

OutOfMemoryError = torch.cuda.OutOfMemoryError

_PIXELS = 1_200_000  # of all objects that a CPU takes at a time


class ObjectChunks:
    """Works through objects a few at a time.

    A CPU takes as many as have about a million pixels together: several small maps keep its cores busier, large ones
    only take memory. A GPU takes all, and half as many after it has run out of memory. Where gradients are wanted all
    go together.

    Attributes:
        at_once: objects at a time; None = all on a GPU, as many as the frame's size allows on a CPU.
    """

    def __init__(self) -> None:
        self.at_once: int | None = None
        self._warned = False

    def run(
        self, work: Callable[[slice], tuple[Tensor, ...]], objects: int, pixels: int, device: torch.device
    ) -> tuple[Tensor, ...]:
        """Do the work for all objects and join what it gives along the first dimension.

        Args:
            work: takes a range of objects.
            objects: how many there are.
            pixels: of a frame.
            device: where the work is done.

        Raises:
            torch.cuda.OutOfMemoryError: there is no room for one alone.
        """
        if torch.is_grad_enabled():
            return work(slice(0, objects))
        while True:
            count = self.at_once or max(1, _PIXELS // pixels if device.type == "cpu" else objects)
            try:
                parts = [work(slice(start, start + count)) for start in range(0, max(1, objects), count)]
            except OutOfMemoryError:
                count = min(count, objects)
                if count <= 1:
                    raise
                torch.cuda.empty_cache()
                self.at_once = (count + 1) // 2
                if not self._warned:
                    logger.warning("out of GPU memory with %d objects at a time: going on with fewer.", count)
                self._warned = True
                continue
            return parts[0] if len(parts) == 1 else tuple(torch.cat(each) for each in zip(*parts, strict=True))
