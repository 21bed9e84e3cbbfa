"""The state of an interrupted run: the memory that a forward run keeps on disk, to be continued from."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from cyclevos.media.sources import FrameSource
from cyclevos.network.tensor_files import tensors_digest, write_safetensors
from cyclevos.propagation.propagator import Propagator

STATE_FILE = "state.safetensors"

_CHECKSUM = "checksum"
_TABLE = "reliability_table"
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
                return _DTYPES.get(file.get_slice("dtype").get_dtype()) if holds_frames else None
        except (SafetensorError, OSError):
            return None

    def save(self, propagator: Propagator, index: int, table: Callable[[], bytes]) -> Callable[[], None]:
        """Copy what a propagator has seen up to a frame, and return what writes it to the disk.

        The state is written after the frame's results, with a checksum of its own tensors.

        Args:
            propagator: of a forward run.
            index: of the last frame that it has segmented.
            table: returns the checksum of the reliability table's rows up to that frame, once they are on disk.
        """
        snapshot = {**propagator.snapshot(), "index": torch.tensor(index)}

        def write() -> None:
            whole = {**snapshot, _TABLE: _bytes_tensor(table())}
            write_safetensors({**whole, _CHECKSUM: _bytes_tensor(tensors_digest(whole))}, self.path)

        return write

    def restore(
        self,
        fresh: Callable[[], _AnyPropagator],
        source: FrameSource,
        finished: frozenset[str],
        lost: Callable[[Sequence[str], bytes], str | None],
    ) -> tuple[_AnyPropagator, int]:
        """Return a propagator that continues from the state, and the first frame left to do.

        The state may come from another device. One that is damaged, was computed in another dtype, or is ahead of
        the results on disk is not used: the run then starts at the first frame, which costs time and no results.

        Args:
            fresh: makes a propagator that has seen nothing.
            source: the frames.
            finished: names of the frames whose masks are finished.
            lost: given the names of the frames up to the state and the checksum of their rows in the reliability
                table, returns which result does not hold them; None if all do.
        """
        if not finished or not self.path.is_file():
            return fresh(), 0
        propagator = fresh()
        own = str(next(iter(propagator.network.parameters())).dtype).removeprefix("torch.")
        if self.dtype not in (None, own):
            logger.warning("%s was computed in %s, not %s: starting at the first frame", self.path, self.dtype, own)
            return propagator, 0
        try:
            snapshot = self._load()
            start = int(snapshot.pop("index")) + 1
            names = frame_names(source, start)
            table = bytes(snapshot.pop(_TABLE).tolist())
            missing = next((f"the mask of frame {name} is missing" for name in names if name not in finished), None)
            reason = missing or lost(names, table)
            if reason is not None:
                raise ValueError(reason)
            propagator.restore(snapshot)
        except (SafetensorError, OSError, KeyError, TypeError, ValueError, IndexError, RuntimeError) as error:
            logger.warning("%s cannot be continued from (%s): starting at the first frame", self.path, error)
            return fresh(), 0
        return propagator, start

    def _load(self) -> dict[str, Tensor]:
        """Return the tensors of the state without their checksum.

        Raises:
            ValueError: the checksum is missing or wrong.
            SafetensorError, OSError: the file cannot be read.
        """
        tensors = load_file(self.path)
        recorded = tensors.pop(_CHECKSUM, None)
        if recorded is None:
            raise ValueError("it has no checksum, as in version 0.1")
        if bytes(recorded.flatten().tolist()) != tensors_digest(tensors):
            raise ValueError("its checksum is wrong, so the file is damaged")
        return tensors

    def remove(self) -> None:
        """Remove it: the run has ended."""
        self.path.unlink(missing_ok=True)


def frame_names(source: FrameSource, count: int) -> list[str]:
    """Return the names of a source's first frames.

    Raises:
        IndexError: the source has fewer frames.
    """
    return [source.name_of(index) for index in range(count)]


def _bytes_tensor(value: bytes) -> Tensor:
    return torch.tensor(list(value), dtype=torch.uint8)
