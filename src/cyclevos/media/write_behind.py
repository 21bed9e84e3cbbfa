"""Writing on a second thread, so that compressing results overlaps with the network's work."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from cyclevos.files.atomic import output_errors
from cyclevos.media.frames import Frame
from cyclevos.media.writers import ResultWriter
from cyclevos.pictures.arrays import UInt8Array


def write_behind(writer: ResultWriter, depth: int = 8) -> ResultWriter:
    """Let a writer work on a background thread, at most `depth` results behind.

    The first error is raised at the next write, or at close; nothing is written after it. Closing and
    aborting first write all that waits. The arrays given must not be changed afterwards.

    Args:
        writer: the writer; it is used by one thread at a time.
        depth: how many results may wait, at least 1.
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}; expected at least 1")
    return _WriteBehind(writer, depth)


class _WriteBehind(ResultWriter):
    def __init__(self, writer: ResultWriter, depth: int) -> None:
        self._writer = writer
        self._jobs: queue.Queue[Callable[[], None] | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def write(
        self,
        frame: Frame,
        ids: UInt8Array,
        probabilities: npt.NDArray[np.floating[Any]] | None = None,
        *,
        object_ids: Sequence[int] | None = None,
        reliability: Mapping[int, float] | None = None,
    ) -> None:
        """Queue one frame's result; see ResultWriter.write."""
        if self._closed:
            raise ValueError("the writer is closed")
        if self._error is not None:
            raise self._error
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="cyclevos-write-behind", daemon=True)
            self._thread.start()
        write = self._writer.write
        self._jobs.put(lambda: write(frame, ids, probabilities, object_ids=object_ids, reliability=reliability))

    def close(self) -> None:
        """Write what waits, then close the writer, or abort it and raise the error that stopped it."""
        if self._closed:
            return
        self._finish()
        if self._error is not None:
            self._writer.abort()
            raise self._error
        self._writer.close()

    def abort(self) -> None:
        """Write what waits, then abort the writer."""
        if not self._closed:
            self._finish()
            self._writer.abort()

    def _finish(self) -> None:
        self._closed = True
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._error is None:
                try:
                    with output_errors(Path(getattr(self._writer, "path", "the results"))):
                        job()
                except BaseException as error:  # carried over to the caller's thread
                    self._error = error
