"""The state of an interrupted run: the memory that a forward run keeps on disk, to be continued from."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file

from cyclevos.media.sources import FrameSource
from cyclevos.naming import index_name
from cyclevos.network.checkpoints import write_safetensors
from cyclevos.propagation.propagator import Propagator

STATE_FILE = "state.safetensors"

_DTYPES = {"F32": "float32", "BF16": "bfloat16", "F16": "float16"}
_AnyPropagator = TypeVar("_AnyPropagator", bound=Propagator)
logger = logging.getLogger(__name__)


class RunState:
    """The state within a run's folder.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / STATE_FILE

    @property
    def dtype(self) -> str | None:
        """The dtype of the state; None if there is no state, or if it holds no frame."""
        try:
            with safe_open(self.path, framework="pt") as file:
                holds_frames = file.get_slice("slots").get_shape()[0] > 0
                return _DTYPES.get(file.get_slice("key").get_dtype()) if holds_frames else None
        except (SafetensorError, OSError):
            return None

    def save(self, propagator: Propagator, index: int) -> Callable[[], None]:
        """Copy what a propagator has seen up to a frame, and return what writes it to the disk.

        Args:
            propagator: of a forward run.
            index: of the last frame that it has segmented.
        """
        snapshot = {**propagator.snapshot(), "index": torch.tensor(index)}
        return lambda: write_safetensors(snapshot, self.path)

    def restore(
        self, fresh: Callable[[], _AnyPropagator], source: FrameSource, finished: frozenset[str]
    ) -> tuple[_AnyPropagator, int]:
        """Return a propagator that continues from the state, and the first frame left to do.

        The state may come from another device. One that is damaged, was computed in another dtype, or is ahead of
        the finished masks is not used: the run then starts at the first frame, which costs time and no results.

        Args:
            fresh: makes a propagator that has seen nothing.
            source: the frames.
            finished: names of the frames whose masks are finished.
        """
        if not finished or not self.path.is_file():
            return fresh(), 0
        propagator = fresh()
        own = str(next(iter(propagator.network.parameters())).dtype).removeprefix("torch.")
        if self.dtype not in (None, own):
            logger.warning("%s was computed in %s, not %s: starting at the first frame", self.path, self.dtype, own)
            return propagator, 0
        try:
            snapshot = load_file(self.path)
            start = int(snapshot.pop("index")) + 1
            names = source.frame_names
            done = {index_name(i) if names is None else names[i] for i in range(start)}
            if not done <= finished:
                return fresh(), 0
            propagator.restore(snapshot)
        except (SafetensorError, OSError, KeyError, ValueError, IndexError, RuntimeError) as error:
            logger.warning("%s cannot be continued from (%s): starting at the first frame", self.path, error)
            return fresh(), 0
        return propagator, start

    def remove(self) -> None:
        """Remove it: the run has ended."""
        self.path.unlink(missing_ok=True)
