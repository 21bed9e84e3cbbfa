"""Objects in chunks: how many a network processes at a time, and fewer after a GPU has run out of memory."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

OutOfMemoryError = torch.cuda.OutOfMemoryError

_PIXELS = 1_200_000  # of all objects in one chunk on a CPU


class ObjectChunks:
    """Processes objects a few at a time.

    On a CPU a chunk has about a million pixels: several small maps keep the cores busy, and larger ones would only use
    more memory. On a GPU a chunk has all objects at first; each time memory runs out, its size is halved. With
    gradients, all objects are processed together.

    Attributes:
        at_once: objects at a time; None = all on a GPU, as many as the frame's size allows on a CPU.
    """

    def __init__(self) -> None:
        self.at_once: int | None = None
        self._warned = False

    def run(
        self, work: Callable[[slice], tuple[Tensor, ...]], objects: int, pixels: int, device: torch.device
    ) -> tuple[Tensor, ...]:
        """Do the work for all objects and concatenate the results along the first dimension.

        Args:
            work: processes a range of objects.
            objects: number of objects.
            pixels: number of pixels of a frame.
            device: the device of the work.

        Raises:
            torch.cuda.OutOfMemoryError: the memory is not enough for a single object.
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
                    logger.warning("Out of GPU memory with %d objects at a time; continuing with fewer.", count)
                self._warned = True
                continue
            return parts[0] if len(parts) == 1 else tuple(torch.cat(each) for each in zip(*parts, strict=True))
