"""Writing on a second thread, so that results are compressed while the network works on the next frame."""

from __future__ import annotations

import queue
import threading
from pathlib import Path

from cyclevos.files.atomic import output_errors
from cyclevos.media.frame_result import FrameResult
from cyclevos.media.writers import ResultWriter


def write_behind(writer: ResultWriter, depth: int = 8) -> ResultWriter:
    """Run a writer on a background thread, at most `depth` results behind.

    The first error is raised by the next write or by close; nothing is written after it. Closing and aborting
    first write every queued result.

    Args:
        writer: the writer; only one thread at a time uses it.
        depth: results that may wait in the queue, at least 1.

    Raises:
        ValueError: depth is below 1.
    """
    if depth < 1:
        raise ValueError(f"depth is {depth}; expected at least 1")
    return _WriteBehind(writer, depth)


class _WriteBehind(ResultWriter):
    def __init__(self, writer: ResultWriter, depth: int) -> None:
        self._writer = writer
        self._queue: queue.Queue[FrameResult | None] = queue.Queue(depth)
        self._error: BaseException | None = None
        self._thread: threading.Thread | None = None
        self._closed = False

    def write(self, result: FrameResult) -> None:
        """Queue one frame's result; raises the first error of the background thread."""
        if self._closed:
            raise ValueError("the writer is closed")
        if self._error is not None:
            raise self._error
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="cyclevos-write-behind", daemon=True)
            self._thread.start()
        self._queue.put(result)

    def close(self) -> None:
        """Write the queued results, then close the writer; after an error, abort it and raise that error."""
        if self._closed:
            return
        self._finish()
        if self._error is not None:
            self._writer.abort()
            raise self._error
        self._writer.close()

    def abort(self) -> None:
        """Write the queued results, then abort the writer."""
        if not self._closed:
            self._finish()
            self._writer.abort()

    def _finish(self) -> None:
        self._closed = True
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _work(self) -> None:
        while (result := self._queue.get()) is not None:
            if self._error is None:
                try:
                    with output_errors(Path(getattr(self._writer, "path", "the results"))):
                        self._writer.write(result)
                except BaseException as error:  # raised again in the caller's thread
                    self._error = error
