"""One clip of many: run with a network that is loaded already, and recorded."""

from __future__ import annotations

import datetime
import hashlib
import logging
import platform
import socket
import sys
import threading
import time
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from cyclevos import __version__
from cyclevos.datasets.first_masks import first_masks
from cyclevos.datasets.layouts import Sequence
from cyclevos.errors import ConfigError, CycleVOSError, MissingExtraError, OutputError, WeightsError
from cyclevos.files.host import peak_memory
from cyclevos.jobs.job import SegmentJob, resolve, settings_identity
from cyclevos.jobs.progress import OpenBar
from cyclevos.jobs.run_folder import OtherRunError, RunFolder, ended_count
from cyclevos.jobs.segment_job import JobResult, run_job
from cyclevos.media.image_folder import ImageFiles
from cyclevos.media.reliability_files import RELIABILITY_FILE, read_reliability
from cyclevos.network.checkpoints import checksum
from cyclevos.network.stm import SpaceTimeMemoryNetwork

COMMAND_ERRORS = (ConfigError, WeightsError, MissingExtraError, OtherRunError)
"""Errors of the command, not of a clip: every other clip would fail the same way."""

_WARM_UP = 3  # frames at the start of a clip that are left out of its speed
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Clip:
    """A sequence to be segmented.

    Attributes:
        sequence: its frames and masks.
        attempt: 1, or 2 after a failure.
        title: shown on its progress bar.
    """

    sequence: Sequence
    attempt: int = 1
    title: str = ""


class ClipRunner:
    """Segments clips with one network.

    Args:
        job: the settings; source and masks are replaced by those of each clip, and the output gets a folder of each.
        later: also follow objects that appear after the first annotated frame.
        worker: name of this process, for the record.
    """

    def __init__(self, job: SegmentJob, *, later: bool = False, worker: str = "") -> None:
        self._job, self._later, self._worker = job, later, worker
        self._network: SpaceTimeMemoryNetwork = job.network.load()
        self._resolved = resolve(job, self._network)
        self.device = torch.device(self._resolved.network.device)
        self._memory = _PeakMemory(self.device)

    def check(self, clips: Iterable[Clip]) -> None:
        """Look for results of other settings before anything is done.

        Raises:
            OtherRunError: the folder of a clip holds some, and they are not to be replaced.
        """
        identity = settings_identity(self._job, self._resolved)
        for clip in () if self._job.results.overwrite else clips:
            RunFolder(self._job.output / clip.sequence.name, identity).refuse_other_settings()

    def run_record(self) -> dict[str, Any]:
        """Return the record of a run's start: the command, versions, weights and settings."""
        job, file = self._job, self._job.network.weights_file
        used = self._resolved.segmentation
        settings: dict[str, Any] = {
            "size": used.size,
            "memory_every": used.memory_every,
            "max_memory_frames": used.max_memory_frames,
            "correction": None if used.correction is None else asdict(used.correction),
            "later_objects": self._later,
        }
        return {
            "kind": "run",
            "time": _now(),
            "command": list(sys.argv),
            "versions": {"cyclevos": __version__, "torch": torch.__version__, "python": platform.python_version()},
            "weights": {"name": job.network.weights, "sha256": checksum(file) if file is not None else None},
            "device": str(self.device),
            "dtype": self._resolved.network.dtype,
            "threads": torch.get_num_threads(),
            "settings": settings,
            "host": socket.gethostname(),
        }

    def run(self, clip: Clip, open_bar: OpenBar | None = None) -> dict[str, Any]:
        """Segment a clip, or what is left of it, and return its record.

        Args:
            clip: the clip.
            open_bar: opens the bar that shows the progress; None shows nothing.

        Raises:
            ConfigError, WeightsError, MissingExtraError, OtherRunError: the command is wrong. Any other error is
                recorded.
        """
        name, start = clip.sequence.name, time.perf_counter()
        record = {"kind": "clip", "sequence": name, "attempt": clip.attempt, "worker": self._worker}
        results = self._job.results
        try:
            job = replace(
                self._job,
                source=ImageFiles(clip.sequence.frames),
                masks=first_masks(clip.sequence, later=self._later),
                output=self._job.output / name,
                results=replace(results, quiet=results.quiet or open_bar is None),
                title=clip.title or name,
            )
            with self._memory.watched():
                result = run_job(job, self._network, open_bar)
                peak = self._memory.peak()
            record |= {"status": "done", **_figures(result, job.output, clip.sequence.frame_names)}
            record["peak_memory_mb"] = None if peak is None else round(peak / 2**20, 1)
            whole = result.segmented == result.frames  # a part does not tell the speed of the whole
            record |= {"seconds": round(time.perf_counter() - start, 3) if whole else None, "error": None}
        except COMMAND_ERRORS:
            raise
        except Exception as error:
            record |= {"status": "failed", "frames": len(clip.sequence.frames), "error": _described(error)}
            record["earlier_results"] = _has_ended(self._job.output / name)
            logger.info("%s failed:\n%s", name, traceback.format_exc())
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
        return {**record, "time": _now()}


class _PeakMemory:
    """The most memory that clips have taken on a device.

    On a GPU it is counted anew whenever a clip starts while no other one is running; clips that run at the same time
    share one count, since the device does not tell them apart. On a CPU it is that of the process so far.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._running, self._lock = 0, threading.Lock()

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Count a clip as running within the block."""
        with self._lock:
            if not self._running and self._device.type == "cuda":
                torch.cuda.reset_peak_memory_stats(self._device)
            self._running += 1
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1

    def peak(self) -> int | None:
        """Return the peak in bytes; None where the system does not tell."""
        return int(torch.cuda.max_memory_allocated(self._device)) if self._device.type == "cuda" else peak_memory()


def clips_at_once(runner: ClipRunner) -> int:
    """Return how many clips run at a time: one on a CPU, on a GPU one for every 4 GB that are free, up to four."""
    if runner.device.type != "cuda":
        return 1
    free, _ = torch.cuda.mem_get_info(runner.device)
    return int(min(4, max(1, free // 4e9)))


def failed_record(clip: Clip, error: str) -> dict[str, Any]:
    """Return the record of a clip whose worker process died."""
    return {
        "kind": "clip",
        "sequence": clip.sequence.name,
        "attempt": clip.attempt,
        "worker": "",
        "status": "failed",
        "frames": len(clip.sequence.frames),
        "error": error,
        "time": _now(),
    }


def _figures(result: JobResult, folder: Path, names: list[str]) -> Mapping[str, Any]:
    timed = result.seconds[_WARM_UP:] if result.segmented == result.frames else ()
    masks = [folder / f"{name}.png" for name in names]
    digest = hashlib.sha256()
    for mask in masks:
        digest.update(mask.read_bytes() if mask.is_file() else b"")
    return {
        "frames": result.frames,
        "segmented": result.segmented,
        "network_seconds": round(sum(timed), 4) if timed else None,
        "network_frames": len(timed) or None,
        "checksum": digest.hexdigest() if any(mask.is_file() for mask in masks) else None,
        "reliability": _reliability_summary(folder),
    }


def _reliability_summary(folder: Path) -> dict[str, float] | None:
    """Return the mean and the lowest predicted J of a clip's masks, and the share of masks below 0.5."""
    values = np.array([row.reliability for row in read_reliability(folder / RELIABILITY_FILE)])
    if not len(values):
        return None
    summary = {"mean": values.mean(), "lowest": values.min(), "below_half": (values < 0.5).mean()}
    return {name: round(float(value), 4) for name, value in summary.items()}


def _has_ended(folder: Path) -> bool:
    """Return whether a folder holds the results of a run that has ended."""
    try:
        return ended_count(folder) is not None
    except OutputError:
        return False


def _described(error: Exception) -> str:
    if isinstance(error, CycleVOSError):
        return str(error)
    if isinstance(error, torch.cuda.OutOfMemoryError | MemoryError):
        return f"out of memory: try a smaller --size, --max-memory-frames or --jobs ({error})"
    return f"{type(error).__name__}: {error}"


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
