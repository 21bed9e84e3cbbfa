"""One attempt at a clip: begun, given its frames, ended; whatever goes wrong is the clip's own error."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

import torch

from cyclevos.errors import ConfigError, MissingExtraError, WeightsError
from cyclevos.files.host import peak_memory
from cyclevos.jobs.clip_record import Clip, Record, figures
from cyclevos.jobs.run_folder import OtherRunError
from cyclevos.jobs.segment_job import SegmentRun
from cyclevos.propagation.together import ClipFrame, ClipRun

COMMAND_ERRORS = (ConfigError, WeightsError, MissingExtraError, OtherRunError)
"""Errors of the command, not of a clip: every other clip would fail the same way."""


class ClipAttempt:
    """One attempt at a clip, from its first check to the figures of its record.

    Errors are kept as the clip's own, except those of the command and interruptions, which are raised.

    Args:
        clip: the clip.
        open_run: opens its run.
        memory: counts it as running.
    """

    def __init__(self, clip: Clip, open_run: Callable[[], SegmentRun], memory: PeakMemory) -> None:
        self.clip = clip
        self.error: Exception | None = None
        self.figures: Record = {}
        self._open_run, self._memory = open_run, memory
        self._run: SegmentRun | None = None
        self._open = ExitStack()
        self._start = time.perf_counter()

    def begin(self) -> ClipRun | None:
        """Return what is left to segment; None = nothing, or it failed."""
        with self._own_errors():
            self._open.enter_context(self._memory.watched())
            self._run = self._open.enter_context(self._open_run())
            left = self._run.begin()
            if left is None:
                self._finish(self._run)
            return left
        return None

    def take(self, event: ClipFrame) -> None:
        """Write the results of a frame; if that fails, the clip takes no further frame."""
        with self._own_errors():
            if self._run is not None:
                self._run.take(event)
        if self.error is not None:
            event.run.stop()

    def end(self, error: Exception | None) -> None:
        """Finish the clip after its last frame, or after the error that has ended it."""
        if self.error is None and self._run is not None:
            with self._own_errors():
                if error is not None:
                    raise error
                self._finish(self._run)

    def leave(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Leave the clip as it is, to be continued."""
        self._open.__exit__(kind, error, trace)

    def _finish(self, run: SegmentRun) -> None:
        result = run.end()
        peak = self._memory.peak()
        self._open.close()
        found = figures(result, run.job.output, self.clip.sequence.frame_names)
        whole = result.segmented == result.frames  # a part does not tell the speed of the whole
        self.figures = {
            **found,
            "peak_memory_mb": None if peak is None else round(peak / 2**20, 1),
            "seconds": round(time.perf_counter() - self._start, 3) if whole else None,
            "error": None,
        }

    @contextmanager
    def _own_errors(self) -> Iterator[None]:
        try:
            try:
                yield
            except BaseException:
                with self._open:  # results are left to be continued, and the folder to others
                    raise
        except COMMAND_ERRORS:
            raise
        except Exception as error:
            self.error = error


class PeakMemory:
    """The peak memory of clips on a device.

    On a GPU the count restarts whenever a clip begins while no other one is running; clips that run at the same time
    share one count, since the device does not tell them apart. On a CPU it is the peak of the process so far.
    """

    def __init__(self, device: torch.device) -> None:
        self._device, self._running = device, 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count a clip as running within the block."""
        if not self._running and self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._running += 1
        try:
            yield
        finally:
            self._running -= 1

    def peak(self) -> int | None:
        """Return the peak in bytes; None where the system does not tell."""
        return int(torch.cuda.max_memory_allocated(self._device)) if self._device.type == "cuda" else peak_memory()
